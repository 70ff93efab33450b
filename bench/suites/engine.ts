/** Tokens a second of whole models: prefill, decoding at a short and at a long context, one thread and two. */
import { loadModel } from "../../src/runtimes/node.ts";
import { type Case, measureRuns } from "../support/measure.ts";
import { NANO, promptTokens, smolLm2 } from "../support/models.ts";
import { type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";

/** Tokens decoded to measure once. */
const DECODED = 16;

/** What is measured of every model, and with how many threads. */
const MEASURES = [
  "prefill 128",
  "prefill 512",
  "decode at 128",
  "decode at 2,048",
  "decode at 2,048, 8-bit cache",
] as const;
type Measure = (typeof MEASURES)[number];

export async function engine(options: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  const larger = smolLm2();
  for (const [name, path, weights] of [
    ["nano f32", NANO, "auto"],
    ["nano 8-bit", NANO, "q8"],
    ["SmolLM2-135M 4-bit", larger, "auto"],
    ["SmolLM2-135M 8-bit", larger, "q8"],
  ] as const) {
    if (path === undefined) continue;
    const one = await loadModel(path, { weights });
    const two = await loadModel(path, { weights, threads: 2 });
    const cases = { ...modelCases(one, 1), ...modelCases(two, 2) };
    const rates = measureRuns(cases, options.quick ? 1 : 5);
    for (const measure of MEASURES) {
      const single = rates[`${measure}, 1`];
      rows.push(rateRow(`${name}: ${measure}, 1 thread`, "tokens/s", single));
      const bound = { rates: single, to: "1 thread" };
      rows.push(rateRow(`${name}: ${measure}, 2 threads`, "tokens/s", rates[`${measure}, 2`], bound));
    }
    one.dispose();
    two.dispose();
  }
  return { title: "Whole models", rows };
}

type ModelCases<Threads extends number> = Record<`${Measure}, ${Threads}`, Case>;

/** Every measure of a model. Passes are run on sessions of their own, or forks, and leave nothing behind. */
function modelCases<Threads extends number>(
  model: Awaited<ReturnType<typeof loadModel>>,
  threads: Threads,
): ModelCases<Threads> {
  const prefill = (length: number): Case => {
    const tokens = promptTokens(model, length);
    return {
      work: length,
      run: () => {
        const session = model.createSession();
        session.prefill(tokens);
        session.dispose();
      },
    };
  };
  const decode = (length: number, cache: "f32" | "q8"): Case => {
    const session = model.createSession({ cache });
    session.prefill(promptTokens(model, length));
    return {
      work: DECODED,
      run: () => {
        const fork = session.fork();
        for (let step = 0; step < DECODED; step++) fork.decode(100 + step);
        fork.dispose();
      },
    };
  };
  const cases: Record<Measure, Case> = {
    "prefill 128": prefill(128),
    "prefill 512": prefill(512),
    "decode at 128": decode(128, "f32"),
    "decode at 2,048": decode(2048, "f32"),
    "decode at 2,048, 8-bit cache": decode(2048, "q8"),
  };
  const named = Object.entries(cases).map(([measure, each]) => [`${measure}, ${threads}`, each]);
  return Object.fromEntries(named) as ModelCases<Threads>;
}
