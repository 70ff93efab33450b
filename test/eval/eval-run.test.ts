/** The scorer, a small grid with nano, resuming, tables and plots. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError } from "../../src/errors.ts";
import { parseCorpus } from "../../src/eval/corpus.ts";
import { evaluate } from "../../src/eval/evaluate.ts";
import { cellsOf, type Grid } from "../../src/eval/grid.ts";
import { methodNames, methodOf } from "../../src/eval/methods.ts";
import { plot } from "../../src/eval/plot.ts";
import type { Result } from "../../src/eval/results.ts";
import { scoreAnswer, scoreEvidence } from "../../src/eval/score.ts";
import { markdownTables } from "../../src/eval/table.ts";
import { loadModel } from "../../src/runtimes/node.ts";

const test = suite("eval");
const model = await loadModel("models/nano");
test.after(() => model.dispose());

const grid: Grid = {
  tasks: ["needle"],
  lengths: [900],
  methods: ["all", "siskin", "streamingllm"],
  budgets: [128],
  ratios: [],
  questions: ["known"],
  scheme: "contiguous",
  cache: "f32",
  chunkLength: 256,
};

test("an answer's score is the part of the expected answers that it contains", () => {
  const right = (answer: string, answers: string[], match: "all" | "any" = "all") =>
    scoreAnswer(answer, { answers, match }).right;
  assert.is(right("It is 1234567.", ["1234567"]), 1);
  assert.is(right("It is 1234568.", ["1234567"]), 0);
  assert.is(right("FINN okafor", ["Finn Okafor"]), 1);
  assert.is(right("1, 3 and 5", ["1", "2", "3", "4"]), 0.5);
  assert.is(right("1, 3 and 5", ["1", "2", "3", "4"], "any"), 1);
  assert.is(right("7", ["1", "2"], "any"), 0);
});

test("evidence is counted in every layer and head", () => {
  const session = model.createSession();
  const { layers, kvHeads } = model.config;
  session.prefill(Int32Array.from({ length: 20 }, (_, index) => index + 300));
  // Tokens 10 to 13 stand at 12 to 15; the first head of the first layer keeps one of the four, the others all.
  const all = Int32Array.from({ length: 20 }, (_, index) => index);
  session.keep(
    Array.from({ length: layers }, (_, layer) =>
      Array.from({ length: kvHeads }, (_, head) => (layer + head === 0 ? [0, 11, 12, 16] : all)),
    ),
  );
  const heads = layers * kvHeads;
  const task = {
    evidence: [
      { first: 10, end: 12 },
      { first: 12, end: 14 },
    ],
  };
  assert.is(scoreEvidence(session, task, 2), (4 * heads - 3) / (4 * heads));
  session.dispose();
});

test("cells combine every list; the whole cache is measured once", () => {
  const cells = cellsOf({ ...grid, tasks: ["needle", "keys"], ratios: [0.5], questions: ["known", "unknown"] });
  assert.is(cells.filter(({ method }) => method === "all").length, 2);
  assert.is(cells.filter(({ method }) => method === "siskin").length, 2 * 2 * 2);
  assert.is(new Set(cells.map((cell) => JSON.stringify(cell))).size, cells.length);
  // Neither baseline depends on what is known, and the passage not on a budget; a file's questions have no length.
  const beside = cellsOf({
    ...grid,
    tasks: ["questions", "needle"],
    methods: ["passage", "bm25"],
    budgets: [64, 128],
    questions: ["known", "unknown"],
  });
  assert.equal(
    beside.map(({ task, length, method, kept }) => [task, length, method, kept?.budget]).slice(0, 6),
    [undefined, 64].flatMap((budget) =>
      ["paragraph", "article", "collection"].map((task) => [task, undefined, budget ? "bm25" : "passage", budget]),
    ),
  );
  assert.is(beside.length, 3 * 3 + 3);
  assert.is(cellsOf({ ...grid, tasks: ["ruler"], methods: ["all"] }).length, 11);
  assert.throws(
    () => cellsOf({ ...grid, tasks: ["riddle"] }),
    (error: unknown) => error instanceof ArgumentError && /"riddle".*needle, keys/.test(error.message),
  );
  assert.throws(
    () => cellsOf({ ...grid, lengths: [] }),
    (error: unknown) => error instanceof ArgumentError,
  );
});

test("siskin keeps the needle and finds it, the latest entries alone do not; a stopped run goes on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "siskin-eval-"));
  const cells = cellsOf({ ...grid, methods: [...grid.methods, "passage", "bm25"] });
  const abort = new AbortController();
  const first = evaluate(model, cells, {
    documents: 2,
    seed: 5,
    folder,
    signal: abort.signal,
    onProgress: (done) => done === 3 && abort.abort(),
  });
  await first.then(
    () => assert.unreachable(),
    (error) => assert.is(error.name, "AbortError"),
  );
  const path = join(folder, "documents.jsonl");
  const lines = (await readFile(path, "utf8")).trim().split("\n");
  assert.is(lines.length, 3);
  // The second run takes what stands there: a figure that no measurement gives comes back. The last line was cut off.
  const { key, attempt } = JSON.parse(lines[0]!);
  const altered = JSON.stringify({ key, attempt: { ...attempt, seconds: 12345 } });
  await writeFile(path, `${altered}\n${lines[1]}\n${lines[2]!.slice(0, 50)}`);
  const counted: number[] = [];
  const results = await evaluate(model, cells, {
    documents: 2,
    seed: 5,
    folder,
    onProgress: (_done, total, fresh) => counted.push(total, fresh),
  });
  assert.equal(counted.slice(-2), [2 * cells.length, 2 * cells.length - 2]);
  assert.ok(results[0]!.seconds > 12345);
  assert.equal(
    results.map(({ cell, documents, right, evidence, entries }) => [
      cell.method,
      documents,
      right,
      evidence === 1,
      entries > 800,
    ]),
    [
      ["all", 2, 1, true, true],
      ["siskin", 2, 1, true, false],
      ["streamingllm", 2, 0, false, false],
      ["passage", 2, 1, false, false],
      ["bm25", 2, 1, false, false],
    ],
  );
  assert.is(results[1]!.entries, 128);
  assert.ok(results[3]!.entries < 64 && results[4]!.entries < 140 && results[4]!.evidence === undefined);
  assert.equal(JSON.parse(await readFile(join(folder, "results.json"), "utf8")), JSON.parse(JSON.stringify(results)));
  assert.is(await readFile(join(folder, "results.md"), "utf8"), markdownTables(results));
  assert.is(await readFile(join(folder, "results.svg"), "utf8"), plot(results));
  // More documents take those that are there; another seed is measured anew.
  const more = await evaluate(model, cells.slice(0, 1), { documents: 3, seed: 5, folder });
  assert.ok(more[0]!.documents === 3 && more[0]!.seconds > 12345);
  const other = await evaluate(model, cells.slice(0, 1), { documents: 1, seed: 4, folder });
  assert.ok(other[0]!.seconds < 12345);
  await writeFile(path, "broken\n");
  await evaluate(model, cells, { documents: 1, seed: 5, folder }).then(
    () => assert.unreachable(),
    (error) => assert.ok(error instanceof FormatError && error.byteOffset === 0),
  );
  await rm(folder, { recursive: true });
});

test("the same seed gives the same figures", async () => {
  const cells = cellsOf({ ...grid, methods: ["finch"], tasks: ["records"] });
  const [one] = await evaluate(model, cells, { documents: 2, seed: 5 });
  const [two] = await evaluate(model, cells, { documents: 2, seed: 5 });
  assert.equal({ ...one, seconds: 0 }, { ...two, seconds: 0 });
});

test("an 8-bit cache is measured and named so", async () => {
  const cells = cellsOf({ ...grid, methods: ["siskin"], cache: "q8" });
  const results = await evaluate(model, cells, { documents: 1, seed: 5 });
  assert.is(results[0]!.right, 1);
  for (const text of [markdownTables(results), plot(results)]) assert.match(text, /siskin, 8-bit cache/);
});

test("a ratio is removed in one pass, with the question in it when it is known", async () => {
  const methods = ["siskin", "snapkv", "knorm"];
  const cells = cellsOf({ ...grid, methods, budgets: [], ratios: [0.75], questions: ["known", "unknown"] });
  const measured = await evaluate(model, cells, { documents: 2, seed: 5 });
  for (const { cell, entries } of measured) {
    assert.ok(Math.abs(entries - 225) < 12, `${cell.method} ${cell.question}: ${entries}`);
  }
  // SnapKV looks from the end of the pass, where a known question stands.
  const [, known, , , unknown] = measured.map(({ evidence }) => evidence);
  assert.ok(known! > unknown!, `${known} known, ${unknown} unknown`);
});

test("every method has a press, and a name that is not there is refused with those that are", () => {
  for (const name of methodNames)
    assert.is(methodOf(name)?.(8).name.startsWith(name), name === "all" ? undefined : true, name);
  assert.throws(
    () => methodOf("toString"),
    (error: unknown) => error instanceof ArgumentError && /"toString".*finch, .*siskin/.test(error.message),
  );
});

test("the questions of a file: SQuAD's figures, and no more of them than there are", async () => {
  const corpus = parseCorpus(
    JSON.stringify({
      context: `${"It was a long and quiet day. ".repeat(30)}One of the special magic numbers for old-ship is: 7654321.`,
      question: "What is the special magic number for old-ship mentioned in the provided text?",
      answer: "7654321",
    }),
    "a.json",
  );
  const cells = cellsOf({ ...grid, tasks: ["paragraph", "collection"], methods: ["all", "siskin", "passage", "bm25"] });
  const measured = await evaluate(model, cells, { documents: 9, seed: 5, corpus });
  for (const { documents, right, exact, f1 } of measured) {
    assert.equal([documents, right], [1, 1]);
    // Words around the number cost precision, and with it the exact match.
    assert.ok(f1! > 0 && f1! <= 1 && exact === Number(f1 === 1), `${exact} ${f1}`);
  }
  const table = markdownTables(measured);
  assert.match(table, /^### Questions of the file, question known\n/);
  assert.match(
    table,
    /\| siskin \| 128 \| 128 \| 100% \(21-100\) \| 100% \(21-100\) \| \*\*100% \(34-100\)\*\* \| \d+% \| \d+% \| 100% \| 2 \|/,
  );
  await evaluate(model, cells, { documents: 1, seed: 5 }).then(
    () => assert.unreachable(),
    (error) => assert.ok(error instanceof ArgumentError && /--questions FILE/.test(error.message)),
  );
});

/** Results of made-up figures. */
const results: Result[] = cellsOf({
  ...grid,
  tasks: ["needle", "keys"],
  methods: ["all", "siskin", "a<b&c"],
  budgets: [64, 256],
}).map((cell, index) => ({
  cell,
  documents: 4,
  right: cell.task === "needle" ? 0.5 : 0.25,
  evidence: index / 10,
  entries: cell.kept?.budget ?? 900,
  seconds: 1,
}));

test("a table has a row for each method and budget, with intervals and the mean over the documents", () => {
  const [heading, , header, , ...rows] = markdownTables(results).trim().split("\n");
  assert.is(heading, "### 900 tokens, question known");
  assert.is(header, "| method | kept | entries | needle | keys | right | evidence kept | n |");
  assert.is(rows.length, 5);
  assert.is(rows[0], "| all | all | 900 | 50% (15-85) | 25% (5-70) | **38% (14-69)** | 5% | 8 |");
  assert.is(rows[2], "| siskin | 256 | 256 | 50% (15-85) | 25% (5-70) | **38% (14-69)** | 45% | 8 |");
});

test("bold is what the documents cannot tell from the best", () => {
  const of = (method: string, right: number) => ({ ...results[0]!, cell: { ...results[0]!.cell, method }, right });
  const table = (documents: number) =>
    markdownTables([of("a", 0.9), of("b", 0.8), of("c", 0.2)].map((result) => ({ ...result, documents })));
  // Of 40 documents 80% are 65 to 90%, 90% are 77 to 96%; of 400 76 to 84% and 87 to 93%.
  assert.equal(table(40).match(/\| [abc] .*\*\*.*\|/g)?.length, 2);
  assert.equal(table(400).match(/\| [abc] .*\*\*.*\|/g)?.length, 1);
});

test("a plot is well-formed XML with a line for each method and a point for each budget", () => {
  const svg = plot(results);
  const open: string[] = [];
  for (const [tag, closing, name, empty] of svg.matchAll(
    /<(\/?)([a-z]+)(?:\s[a-z-]+(?::[a-z]+)?="[^"<]*")*\s*(\/?)>/gi,
  )) {
    assert.ok(tag);
    if (closing) assert.is(open.pop(), name);
    else if (!empty) open.push(name!);
  }
  assert.equal(open, []);
  // Nothing is left that looks like the start of a tag.
  const rest = svg.replace(/<\/?[a-z]+(?:\s[a-z-]+="[^"<]*")*\s*\/?>/gi, "");
  assert.not.match(rest, /[<]/);
  assert.match(svg, /a&lt;b&amp;c/);
  assert.is(svg.match(/<circle/g)!.length, 4);
  assert.is(svg.match(/<path fill="none" stroke="#0072b2"/g)!.length, 2);
  assert.not.match(svg, /NaN|undefined|Infinity/);
});

test.run();
