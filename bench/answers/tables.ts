/** Measures the tables of docs/eval.md with a model and puts each between its marks. */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { basename } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { evaluate } from "../../src/eval/evaluate.ts";
import { type Cell, cellsOf, type Grid } from "../../src/eval/grid.ts";
import { methodNames, methodOf } from "../../src/eval/methods.ts";
import { markdownTables } from "../../src/eval/table.ts";
import { type Reach, siskin } from "../../src/index.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import { methodsTable } from "./methods-table.ts";

const FILE = "docs/eval.md";
const EMBEDDED = "models/nano";
const { values } = parseArgs({
  options: {
    only: { type: "string" },
    tasks: { type: "string", default: "needle,keys,facts,records" },
    documents: { type: "string", default: "1" },
    threads: { type: "string", default: String(availableParallelism()) },
    model: { type: "string", default: EMBEDDED },
  },
});
const tasks = values.tasks.split(",");
const reaches: Record<string, Reach> = {
  "siskin, no reach": { before: 0, after: 0 },
  "siskin, reach 3/12": { before: 3, after: 12 },
  "siskin, reach 4/16": { before: 4, after: 16 },
  "siskin, reach 6/24": { before: 6, after: 24 },
};
const base = {
  tasks,
  ratios: [],
  questions: ["known"],
  scheme: "contiguous",
  cache: "f32",
  chunkLength: 512,
} satisfies Partial<Grid>;

/** The cells of each table. */
const tables: Record<string, () => Cell[]> = {
  documents: () => [
    ...cellsOf({ ...base, lengths: [4_096], methods: ["all"], budgets: [] }),
    ...cellsOf({ ...base, lengths: [4_096], methods: ["siskin"], budgets: [1_024, 128] }),
    ...cellsOf({ ...base, lengths: [16_384], methods: ["all"], budgets: [] }),
    ...cellsOf({
      ...base,
      lengths: [16_384],
      methods: ["streamingllm", "finch", "siskin, no reach"],
      budgets: [1_024],
    }),
    ...cellsOf({ ...base, lengths: [16_384], methods: ["siskin"], budgets: [1_024, 512, 256, 128] }),
    ...cellsOf({ ...base, lengths: [65_536], methods: ["siskin"], budgets: [512, 128] }),
  ],
  methods: () =>
    cellsOf({
      ...base,
      lengths: [2_000],
      methods: methodNames,
      budgets: [],
      ratios: [0.5, 0.75, 0.9],
      questions: ["known", "unknown"],
    }),
  reach: () =>
    [256, 512, 1_024].flatMap((chunkLength) =>
      cellsOf({ ...base, chunkLength, lengths: [3_000], methods: Object.keys(reaches), budgets: [64, 128] }),
    ),
  // Reading for questions that nobody has said yet, in chunks, and for a known one.
  blind: () => [
    ...cellsOf({ ...base, lengths: [4_000], methods: ["siskin"], budgets: [512, 1_024] }),
    ...cellsOf({
      ...base,
      lengths: [4_000],
      questions: ["unknown"],
      methods: ["siskin", "kvzip", "expectedattention", "keydiff"],
      budgets: [512, 1_024],
    }),
  ],
  cache: () =>
    (["f32", "q8"] as const).flatMap((cache) =>
      cellsOf({ ...base, cache, lengths: [2_000], methods: ["siskin"], budgets: [128] }),
    ),
};

const model = await loadModel(values.model, { threads: Number(values.threads) });
const modelName = basename(values.model);
for (const name of values.only?.split(",") ?? Object.keys(tables)) {
  const cells = tables[name]?.();
  if (!cells) throw new Error(`There is no table ${name}; there are ${Object.keys(tables).join(", ")}`);
  const results = await evaluate(model, cells, {
    documents: Number(values.documents),
    seed: 1,
    folder: `bench/results/eval-${modelName}`,
    methods: (method) =>
      Object.hasOwn(reaches, method) ? () => siskin({ reach: reaches[method]! }) : methodOf(method),
    onProgress: (done, total, _fresh, next) => {
      const amount = next?.kept ? ` at ${next.kept.budget ?? next.kept.ratio}` : "";
      process.stderr.write(`${name}: ${done} of ${total}; ${next?.method ?? "done"}${amount}, ${next?.length}\n`);
    },
  });
  const documents = Number(values.documents) * new Set(cells.map(({ task }) => task)).size;
  const command =
    `npm run eval:readme -- --only ${name} --tasks ${values.tasks} --documents ${values.documents}` +
    (values.model === EMBEDDED ? "" : ` --model ${modelName}`);
  const about =
    `${modelName}, ${documents} documents a row, seed 1. \`${command}\`, ` +
    `${cpus()[0]?.model}, ${values.threads} threads, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}.`;
  const chunks = [...new Set(cells.map(({ chunkLength }) => chunkLength))];
  const parts = chunks.map((chunk) => {
    const heading = chunks.length > 1 ? `**Chunks of ${chunk}**\n\n` : "";
    return heading + markdownTables(results.filter(({ cell }) => cell.chunkLength === chunk));
  });
  const table = name === "methods" ? methodsTable(results) : parts.join("\n");
  write(`${name}, ${modelName}`, `${about}\n\n${table}`);
}
model.dispose();

/** Puts text between a table's marks, which are added at the end where they are not there yet. */
function write(mark: string, text: string): void {
  const begin = `<!-- ${mark} -->`;
  const end = `<!-- end of ${mark} -->`;
  const old = readFileSync(FILE, "utf8");
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  const block = `${begin}\n${text}${end}`;
  writeFileSync(FILE, from < 0 ? `${old}\n${block}\n` : old.slice(0, from) + block + old.slice(to + end.length));
}
