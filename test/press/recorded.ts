/** What kvpress did to nano's cache, as recorded, and how far from it our presses are. */
import { readFileSync } from "node:fs";
import type { Scheme } from "../../src/cache/cache.ts";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import type { Budget } from "../../src/press/budget.ts";
import type { PassPress, ScorePress, StepsPress } from "../../src/press/press.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import type { Model } from "../../src/session/model.ts";
import type { Session } from "../../src/session/session.ts";

const folder = "test/fixtures/presses";

/** One run of kvpress as the fixtures describe it. */
interface RecordedRun {
  readonly press: string;
  readonly ratio: number | null;
  readonly events?: number;
  readonly cache_lengths: readonly number[];
  readonly ids: readonly number[];
  readonly gap: readonly number[];
  readonly note?: string;
  /** Names of the run's tensors in the file. */
  readonly tensors: Readonly<Record<string, string>>;
}

interface Fixture {
  readonly context: {
    readonly context_ids: readonly number[];
    readonly question_ids: readonly number[];
    readonly finch: {
      readonly context_ids: readonly number[];
      readonly question_ids: readonly number[];
      readonly delimiter_id: number;
      readonly window: number;
    };
  };
  readonly runs: Readonly<Record<string, RecordedRun>>;
}

export const { context, runs } = JSON.parse(readFileSync(`${folder}/runs.json`, "utf8")) as Fixture;
const tensors = readSafetensors(readFileSync(`${folder}/runs.safetensors`));

export const model: Model = await loadModel("models/nano");
export const { layers, kvHeads } = model.config;

/** A recorded tensor of numbers. */
export function recorded(run: string, name: string): Float32Array {
  return tensors.f32(runs[run]!.tensors[name]!);
}

export function isRecorded(run: string, name: string): boolean {
  return runs[run]!.tensors[name] !== undefined;
}

/** A recorded mask [layers, KV heads, width] as lists of the places that are set. */
export function recordedSets(run: string, name: string): Int32Array[][] {
  const mask = tensors.u8(runs[run]!.tensors[name]!);
  const width = mask.length / layers / kvHeads;
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: kvHeads }, (_, head) => {
      const start = (layer * kvHeads + head) * width;
      const places = Array.from(mask.subarray(start, start + width), (set, place) => (set ? place : -1));
      return Int32Array.from(places.filter((place) => place >= 0));
    }),
  );
}

/** How a run is repeated here. */
export interface Repeat {
  /** Makes the press; `spy` hears the scores of the press that it is given. */
  readonly press: (spy: (press: ScorePress) => ScorePress) => PassPress | StepsPress;
  readonly budget?: Budget;
  readonly scheme?: Scheme;
}

/** The tokens that a run reads, and those that follow. */
export function textOf(run: string): { read: Int32Array; question: Int32Array } {
  const { context_ids, question_ids, finch } = context;
  if (!run.startsWith("finch")) return { read: Int32Array.from(context_ids), question: Int32Array.from(question_ids) };
  // kvpress finds the question by a delimiter and takes it out again.
  const read = finch.context_ids.filter((token) => token !== finch.delimiter_id);
  return { read: Int32Array.from(read), question: Int32Array.from(finch.question_ids) };
}

/** A session after the pass that compresses, and the scores that the press gave: [layers][KV heads][entries]. */
export function repeat(run: string, { press, budget, scheme }: Repeat): { session: Session; scores: Float32Array[][] } {
  const scores: Float32Array[][] = [];
  const spy = (inner: ScorePress): ScorePress => ({
    ...inner,
    score: (entries, target) => {
      const result = inner.score(entries, target);
      scores[entries.layer] = result.map((list) => list.slice());
      return result;
    },
  });
  const session = model.createSession({ scheme: scheme ?? "original" });
  const ratio = runs[run]!.ratio;
  session.prefill(textOf(run).read, {
    press: press(spy),
    ...(budget ?? (ratio === null ? {} : { ratio })),
  } as { press: PassPress } & Budget);
  return { session, scores };
}

/** Runs whose logits with the recorded sets imposed say nothing, and why. */
export const withoutLogits: Readonly<Record<string, string>> = {
  "kvcompose_unstructured_0.5": "kvpress leaves the replayed copy of the context in the cache, unmasked",
};

const whole = new Map<string, Session>();
/** A session that has read a run's text and dropped nothing. */
function readWhole(run: string, { scheme = "original" }: Repeat): Session {
  const { read } = textOf(run);
  const key = `${scheme} ${read.length}`;
  let session = whole.get(key);
  if (!session) {
    session = model.createSession({ scheme });
    session.prefill(read);
    whole.set(key, session);
  }
  return session.fork();
}

/**
 * The session in which a run's logits are compared: a whole cache with the recorded sets imposed; of what changes keys or
 * values the press's own.
 * @param session the press's
 */
export function impose(run: string, how: Repeat, session: Session): Session {
  if (isRecorded(run, "channels") || isRecorded(run, "values.0")) return session;
  const imposed = readWhole(run, how);
  imposed.keep(recordedSets(run, "kept"));
  return imposed;
}

/** Every head's kept positions: [layers][KV heads]. */
export function keptBy(session: Session): Int32Array[][] {
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: kvHeads }, (_, head) => session.positions(layer, head)),
  );
}

/**
 * How far scores are from the recorded ones, in parts of what is allowed: `relative` of a score and `share` of the
 * layer's largest finite one.
 * @returns the part of the scores that lie outside, the largest difference, and the same as a part of its layer's largest
 */
export function scoreDifference(
  run: string,
  scores: readonly (readonly Float32Array[])[],
  relative: number,
  share: number,
): { outside: number; worst: number; worstShare: number } {
  const expected = recorded(run, "scores");
  const length = expected.length / layers / kvHeads;
  let outside = 0;
  let worst = 0;
  let worstShare = 0;
  for (const [layer, heads] of scores.entries()) {
    for (const [head, list] of heads.entries()) {
      const start = (layer * kvHeads + head) * length;
      const finite = list.filter((score) => Number.isFinite(score));
      const largest = finite.reduce((most, score) => Math.max(most, Math.abs(score)), 0);
      for (let i = 0; i < length; i++) {
        const value = expected[start + i]!;
        // What must stay is infinite here and the largest f32 there.
        if (Object.is(list[i], value) || (list[i] === Number.POSITIVE_INFINITY && value > 3.4e38)) continue;
        const difference = Math.abs(list[i]! - value);
        worst = Math.max(worst, difference);
        worstShare = Math.max(worstShare, difference / largest);
        if (!(difference <= relative * Math.abs(value) + share * largest)) outside++;
      }
    }
  }
  return { outside: outside / expected.length, worst, worstShare };
}

/** How much of the recorded kept sets a session has kept: 1 when all are the same. */
export function keptAgreement(
  kept: readonly (readonly Int32Array[])[],
  expected: readonly (readonly Int32Array[])[],
): number {
  let same = 0;
  let total = 0;
  for (const [layer, heads] of expected.entries()) {
    for (const [head, list] of heads.entries()) {
      const ours = new Set(kept[layer]![head]);
      same += list.filter((place) => ours.has(place)).length;
      total += Math.max(list.length, ours.size);
    }
  }
  return same / total;
}
