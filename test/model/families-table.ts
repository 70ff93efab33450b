/** Prints docs/models.md: how far the logits of each family's tiny model are from transformers', from either kind of file. */
import { existsSync, readFileSync } from "node:fs";
import { loadModel, type ModelSource } from "../../src/runtimes/node.ts";
import { likeliest } from "../../src/session/sampling.ts";
import { familyGguf, familyNames, familyRecords, familySource } from "../support/families.ts";

/** The largest difference of a logit, or what of the greedy text is wrong. */
async function differenceOf(name: string, source: ModelSource): Promise<string> {
  const tensors = familyRecords(name);
  const model = await loadModel(source, { weights: "f32" });
  let largest = 0;
  for (const length of [90, 40]) {
    const session = model.createSession();
    let logits = session.prefill(tensors.i32(`tokens${length}`));
    const expected = tensors.f32(`logits${length}`);
    for (const [i, logit] of logits.entries()) largest = Math.max(largest, Math.abs(logit - expected[i]!));
    for (const token of tensors.i32(`greedy${length}`)) {
      if (likeliest(logits) !== token) return "another text";
      logits = session.decode(token);
    }
  }
  model.dispose();
  return largest.toExponential(1);
}

const lines = [
  "# Families of models",
  "",
  "Made by `npm run docs:models` from tiny random models: the largest difference of a logit from what transformers computes in",
  "float32, the greedy text of 24 tokens being the same. Compression is tested for each in `test/model/families.test.ts`.",
  "",
  "| model | family | RoPE | from safetensors | from GGUF |",
  "|---|---|---|---|---|",
];
for (const name of familyNames) {
  const source = familySource(name);
  const model = await loadModel(source);
  const { architecture, layerPattern } = model.config;
  model.dispose();
  const rotaries = new Set(layerPattern.map(({ rotary }) => rotary?.type ?? "none"));
  const gguf = existsSync(familyGguf(name)) ? new Uint8Array(readFileSync(familyGguf(name))) : undefined;
  const fromGguf = gguf ? await differenceOf(name, gguf) : "not recorded";
  const cells = [name, architecture, [...rotaries].join(", "), await differenceOf(name, source), fromGguf];
  lines.push(`| ${cells.join(" | ")} |`);
}
console.log(lines.join("\n"));
