/** What compression costs while reading: scoring, choosing and re-rotating, against a chunk's and the questions' forward pass. */
import type { KeyValueCache } from "../../src/cache/cache.ts";
import { KeyValueCache as Cache } from "../../src/cache/cache.ts";
import { f32Pages, PAGE_ENTRIES } from "../../src/cache/page-form.ts";
import { PagePool } from "../../src/cache/pages.ts";
import type { Batch } from "../../src/model/batch.ts";
import { siskin } from "../../src/press/methods/siskin.ts";
import { highest, spread } from "../../src/press/tools/choose.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import { NANO, openDocument, promptTokens } from "../support/models.ts";
import { median, plainRow, type SuiteOptions, type Table } from "../support/report.ts";

const BUDGET = 512;
const CHUNK = 512;

export async function compression({ quick }: SuiteOptions): Promise<Table> {
  const model = await loadModel(NANO);
  const { core, decoder, config, frame } = model.engine;
  const pool = new PagePool(core, f32Pages(core, decoder.layout.head));
  const full = new Cache(pool, config.layers, config.kvHeads, "contiguous");
  const tokens = promptTokens(model, BUDGET + CHUNK);
  decoder.forward(full, { text: tokens.slice(0, BUDGET) });
  const text = tokens.slice(BUDGET);
  const questions = openDocument("chapter")!.questions.map((question) => frame.question(question));
  const entries = BUDGET + CHUNK;
  const scores = core.allocate(Math.ceil(entries / PAGE_ENTRIES) * PAGE_ENTRIES * 4);

  /** Milliseconds that a pass takes on a fork. */
  const pass = (batch: Batch, then: (cache: KeyValueCache) => void): number => {
    const cache = full.fork();
    const started = performance.now();
    decoder.forward(cache, batch);
    const milliseconds = performance.now() - started;
    then(cache);
    cache.dispose();
    return milliseconds;
  };
  /** Milliseconds of choosing and re-rotating, from the scores that the last pass left. */
  const cut = (cache: KeyValueCache): { choosing: number; turning: number } => {
    const started = performance.now();
    const kept = highest(
      core,
      spread(core.f32(scores, entries).slice(), siskin.definition.settings.reach.standard!),
      BUDGET,
    );
    const chosen = performance.now();
    cache.keep(() => kept, decoder.rotations);
    return { choosing: chosen - started, turning: performance.now() - chosen };
  };

  const times = { chunk: [], questions: [], scoring: [], choosing: [], turning: [], share: [] } as Record<
    string,
    number[]
  >;
  for (let round = 0; round < (quick ? 3 : 15); round++) {
    const chunk = pass({ text }, () => {});
    const asked = pass({ text, questions }, () => {});
    core.f32(scores, entries).fill(0);
    let rest = { choosing: 0, turning: 0 };
    const scored = pass({ text, questions, scoring: { target: () => scores, factors: undefined } }, (cache) => {
      rest = cut(cache);
    });
    // The first round compiles.
    if (round === 0) continue;
    const whole = scored + rest.choosing + rest.turning;
    times.chunk!.push(chunk);
    times.questions!.push(asked - chunk);
    times.scoring!.push(scored - asked);
    times.choosing!.push(rest.choosing);
    times.turning!.push(rest.turning);
    times.share!.push(((whole - asked) / whole) * 100);
  }
  model.dispose();
  const row = (what: string, name: string, unit = "ms") => plainRow(what, unit, median(times[name]!));
  const rows = questions.reduce((sum, question) => sum + question.length, 0);
  return {
    title: `A step of reading with nano: ${CHUNK} tokens behind ${BUDGET} entries, ${questions.length} questions`,
    rows: [
      row(`forward pass of the chunk, ${CHUNK} rows`, "chunk"),
      row(`forward pass of the questions, ${rows} rows more`, "questions"),
      row("scoring the entries", "scoring"),
      row("choosing", "choosing"),
      row("gathering and re-rotating", "turning"),
      row("scoring, choosing and re-rotating, of the whole step", "share", "%"),
    ],
  };
}
