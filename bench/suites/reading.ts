/** Reading documents with their questions: tokens a second, the last quarter against the first, and the memory it takes. */
import { loadModel } from "../../src/runtimes/node.ts";
import { type Document, NANO, openDocument } from "../support/models.ts";
import { median, plainRow, type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";

/** How often each document is read: the quarters of a single reading say more of the machine's other work than of ours. */
const READINGS = { chapter: 5, story: 3, book: 2 };

type Weights = "f32" | "q8";

/** What one reading gives. */
interface Reading {
  readonly tokens: number;
  /** Tokens a second of all, and of its full chunks behind a full cache, in order. */
  readonly speed: number;
  readonly chunkSpeeds: readonly number[];
  readonly peakBytes: number;
  readonly weightBytes: number;
}

export async function reading({ quick }: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  for (const name of quick ? (["chapter"] as const) : (["chapter", "story", "book"] as const)) {
    const document = openDocument(name);
    if (!document) continue;
    for (const weights of name === "book" ? (["f32", "q8"] as const) : (["f32"] as const)) {
      const readings: Record<1 | 2, Reading[]> = { 1: [], 2: [] };
      for (let round = 0; round < (quick ? 1 : READINGS[name]); round++) {
        for (const threads of [1, 2] as const) readings[threads].push(await readOnce(document, weights, threads));
      }
      for (const threads of [1, 2] as const) rows.push(...rowsOf(document, weights, threads, readings));
    }
  }
  return { title: "Reading documents with nano (512 entries, chunks of 512)", rows };
}

function rowsOf(document: Document, weights: Weights, threads: 1 | 2, readings: Record<1 | 2, Reading[]>): Row[] {
  const own = readings[threads];
  const { tokens, peakBytes, weightBytes } = own[0]!;
  const title =
    `${document.name}, ${tokens} tokens, ${document.questions.length} questions, ` +
    `${weights === "q8" ? "8-bit" : "f32"} weights, ${threads} thread${threads > 1 ? "s" : ""}`;
  const single = { rates: readings[1].map(({ speed }) => speed), to: "1 thread" };
  const speeds = own.map(({ speed }) => speed);
  const rows = [rateRow(title, "tokens/s", speeds, threads > 1 ? single : undefined)];
  const quarter = Math.floor(own[0]!.chunkSpeeds.length / 4);
  if (quarter > 1) {
    const ratios = own.map(
      ({ chunkSpeeds }) => median(chunkSpeeds.slice(-quarter)) / median(chunkSpeeds.slice(0, quarter)),
    );
    rows.push(plainRow(`${title}: speed of the last quarter over the first's`, "x", median(ratios)));
  }
  rows.push(plainRow(`${title}: most memory at once`, "MB", peakBytes / 1e6));
  rows.push(plainRow(`${title}: of that besides the weights`, "MB", (peakBytes - weightBytes) / 1e6));
  return rows;
}

/** One reading by a model of its own, whose peak is then this reading's. */
async function readOnce(document: Document, weights: Weights, threads: number): Promise<Reading> {
  const model = await loadModel(NANO, { threads, weights });
  const times: number[] = [performance.now()];
  const counts: number[] = [0];
  await model.createSession().read(document.text, {
    questions: document.questions,
    onProgress: ({ tokensRead }) => {
      times.push(performance.now());
      counts.push(tokensRead);
    },
  });
  const { peakBytes, weightBytes } = model.memory;
  model.dispose();
  const between = (first: number, last: number) =>
    ((counts[last]! - counts[first]!) * 1000) / (times[last]! - times[first]!);
  const last = counts.length - 1;
  return {
    tokens: counts[last]!,
    speed: between(0, last),
    // The first chunk meets an empty cache, the last is a short one.
    chunkSpeeds: Array.from({ length: Math.max(0, last - 2) }, (_, index) => between(index + 1, index + 2)),
    peakBytes,
    weightBytes,
  };
}
