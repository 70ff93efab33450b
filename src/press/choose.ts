/** From scores to the entries kept: reach, and the top of a list. */
import type { Core } from "../core/core.ts";
import { NumericError } from "../errors.ts";
import type { Reach } from "./press.ts";

/** Entry t takes the highest score of the entries t - after ... t + before, in the cache's order. */
export function spread(scores: Float32Array, { before, after }: Reach): Float32Array {
  if (before === 0 && after === 0) return scores;
  const result = new Float32Array(scores.length);
  /** Indices of falling scores in the window (a monotonic queue): each is looked at twice at most. */
  const queue: number[] = [];
  let front = 0;
  let next = 0;
  for (let entry = 0; entry < scores.length; entry++) {
    for (; next <= Math.min(entry + before, scores.length - 1); next++) {
      while (queue.length > front && scores[queue.at(-1)!]! <= scores[next]!) queue.pop();
      queue.push(next);
    }
    while (queue[front]! < entry - after) front++;
    result[entry] = scores[queue[front]!]!;
  }
  return result;
}

/**
 * Indices of the `keep` highest scores, ascending; ties go to the lower index.
 * @throws NumericError when a score is NaN
 */
export function highest(core: Core, scores: Float32Array, keep: number): Int32Array {
  if (scores.some(Number.isNaN)) throw new NumericError("A press gave a score that is NaN");
  const count = scores.length;
  return core.borrow(count * 12, (pointer) => {
    core.f32(pointer, count).set(scores);
    core.kernels.topIndices(pointer, count, keep, pointer + count * 4, pointer + count * 8);
    return core.i32(pointer + count * 4, Math.min(keep, count)).slice();
  });
}
