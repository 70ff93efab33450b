/** Prints docs/presses.md: every method, its paper, its parameters, and how far it is from the recorded runs of kvpress. */
import { definitions } from "../../src/press/registry.ts";
import type { Setting } from "../../src/press/settings.ts";
import {
  impose,
  isRecorded,
  keptAgreement,
  keptBy,
  recorded,
  recordedSets,
  repeat,
  runs,
  scoreDifference,
  textOf,
  withoutLogits,
} from "./recorded.ts";
import { repeats } from "./runs.ts";

/** What was measured of a method, over all its runs. */
interface Agreement {
  runs: number;
  scores: number | undefined;
  kept: number;
  logits: number | undefined;
}

/** kvpress's classes whose names are not the methods'. */
const classes: Readonly<Record<string, string>> = {
  finch: "finchpress",
  keyrerotation: "",
  noncausalattn: "noncausalattention",
  perlayercompression: "perlayer",
  simlayerkv: "simlayer",
};

/** The method of a recorded run. */
function methodOf(run: string): string {
  const name = runs[run]!.press.replace(/Press$/, "").toLowerCase();
  return classes[name] ?? name;
}

function measure(run: string, before: Agreement): Agreement {
  const { session, scores } = repeat(run, repeats[run]!);
  const kept = keptAgreement(keptBy(session), recordedSets(run, "kept"));
  const imposed = impose(run, repeats[run]!, session);
  const wanted = recorded(run, "logits");
  const logits = imposed
    .prefill(textOf(run).question)
    .reduce((most, value, index) => Math.max(most, Math.abs(value - wanted[index]!)), 0);
  imposed.dispose();
  session.dispose();
  const measured =
    isRecorded(run, "scores") && scores.length > 0 ? scoreDifference(run, scores, 0, 0).worstShare : undefined;
  return {
    runs: before.runs + 1,
    scores: measured === undefined ? before.scores : Math.max(before.scores ?? 0, measured),
    kept: Math.min(before.kept, kept),
    logits: run in withoutLogits ? before.logits : Math.max(before.logits ?? 0, logits),
  };
}

const agreements = new Map<string, Agreement>();
for (const run of Object.keys(repeats)) {
  const method = methodOf(run);
  const before = agreements.get(method) ?? { runs: 0, scores: undefined, kept: 1, logits: undefined };
  agreements.set(method, measure(run, before));
}

const own = definitions.filter(({ ownBudget }) => ownBudget).map(({ name }) => `\`${name}\``);
const figure = (value: number | undefined) => (value === undefined ? "-" : value === 0 ? "0" : value.toExponential(1));
const percent = (part: number) => (part === 1 ? "all" : `${(100 * part).toFixed(2)}%`);
console.log(`# Methods of compression

Made by \`npm run docs:presses\`. Any of these is \`press(name, parameters)\`; parameters in italics must be given. The last four columns
compare with recorded runs of NVIDIA kvpress 0.5.5 on nano, a document of 737 tokens: the number of runs; the largest difference of a score, as
a part of its layer's largest; the part of the kept sets that is the same; and the largest difference of a logit after the question, with the
recorded sets imposed. f32 itself leaves 1e-4 of a logit uncertain.

| name | method | parameters | runs | scores | kept | logits |
|---|---|---|--:|--:|--:|--:|`);
for (const { name, paper, settings } of definitions) {
  const parameters = Object.entries<Setting>(settings)
    .map(([parameter, { need }]) => (need === "required" ? `*${parameter}*` : parameter))
    .join(", ");
  const { runs: count, scores, kept, logits } = agreements.get(name) ?? { runs: 0, scores: undefined, kept: undefined };
  const measured = [count || "-", figure(scores), kept === undefined ? "-" : percent(kept), figure(logits)];
  console.log(`| \`${name}\` | ${[`${paper}.`, parameters, ...measured].join(" | ")} |`);
}
const rerotated = agreements.get("");
if (rerotated) {
  const measured = [rerotated.runs, figure(rerotated.scores), percent(rerotated.kept), figure(rerotated.logits)];
  console.log(
    `| - | KeyRerotationPress: any method in the \`contiguous\` scheme, here over knorm, snapkv, streamingllm and expectedattention |  | ${measured.join(" | ")} |`,
  );
}
console.log(`
Where less than all is the same, entries tie: knorm and what is built on it keep one of two equal words in layer 0; LagKV's scores are
ranks in partitions of 128, which tie at the cut; SnapKV's pooling makes neighbours equal. \`merging\` is compared in its own session, in which one
such entry is another. \`composed\` runs a second press on what the first left: kvpress leaves that in the order of score, ours is in the
order of the text, so knorm followed by StreamingLLM keeps other entries. Not done: KVgradPress (it needs gradients). Not recorded, because they need
downloads: FastKVzip, KVzap, RestoreKV, ExpectedAttentionStats. \`siskin\` and \`finch\` are compared with the reference reader in \`test/press/reading.test.ts\`.

A run of kvpress is repeated in three lines: keys stay where they stood in the text, the context is one pass, and what was kept is looked up.

\`\`\`js
const session = model.createSession({ scheme: "original" });
session.prefill(contextTokens, { press: snapKV({ windowSize: 64, kernelSize: 5 }), ratio: 0.5 }); // ratio: the part removed
session.positions(layer, head); // what was kept; session.prefill(questionTokens) then gives the question's logits
\`\`\`

\`ratio\`, \`budget\` or \`bytes\` says how much to keep. Methods that say so themselves take none of them, as in kvpress:
${own.slice(0, -1).join(", ")} and ${own.at(-1)}. A pass too short for a method is
refused, as there; only the end of a document that is read in chunks may be shorter than a window, which is then as long as the chunk.

Any of them reads documents in chunks too, but for \`kvcompose\`, \`lukv\`, and \`chunk\` over a method that looks at queries, which need a whole pass. \`kvzip\`,
\`compactor\`, \`noncausalattention\` and \`observedattention\` score a chunk when it is read, and what is left of it keeps its scores.`);
