/**
 * The tape: the steps of a forward pass, written down by the caller as numbers in memory and run here in one call, by
 * one thread or by several that each take their share of every step. The core knows the steps, not the models.
 *
 * A step is its operation, then its arguments, 4 bytes each. src/core/tape.ts writes them in the same order.
 */
import { AttentionLayer, attend, attentionScratch, scoreEntries } from "./attention";
import { attendRow, mergeParts } from "./attention-row";
import { attendRowQ8, attentionRowScratchQ8 } from "./attention-row-q8";
import { matmulF32 } from "./matmul-f32";
import { matvecF32 } from "./matvec-f32";
import { embedF32, embedQ8 } from "./pack";
import { appendRowsQ8, expandQ8 } from "./page-q8";
import { embedQ4 } from "./pack-q4";
import { appendRows, rotateRows } from "./rotary";
import { addBias, gateMultiply, packRowsF32, quantiseRow, quantiseRowQ4, quantiseRows, rmsNorm } from "./rows";
import { barrier, nextJob, Team } from "./team";
import { matmulQ4, matvecQ4 } from "./weights-q4";
import { matmulQ8, matvecQ8 } from "./weights-q8";

const enum Operation {
  End,
  Barrier,
  EmbedF32,
  EmbedQ8,
  RmsNorm,
  PackRows,
  QuantiseRows,
  QuantiseRow,
  MatmulF32,
  MatvecF32,
  MatmulQ8,
  MatvecQ8,
  Rotate,
  Append,
  Attend,
  AttendRow,
  MergeParts,
  ScoreEntries,
  GateMultiply,
  EmbedQ4,
  MatmulQ4,
  MatvecQ4,
  Copy,
  AppendQ8,
  ExpandQ8,
  AttendRowQ8,
  QuantiseRowQ4,
  AddBias,
}

// @ts-ignore: decorator
@inline
function word(tape: usize, index: i32): i32 {
  return load<i32>(tape + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
function number(tape: usize, index: i32): f32 {
  return load<f32>(tape + (<usize>index << 2));
}

/** The first of `count` things that thread `thread` of `threads` does. */
// @ts-ignore: decorator
@inline
function share(count: i32, thread: i32, threads: i32): i32 {
  return (count * thread) / threads;
}

/**
 * Runs a tape to its end as thread `thread` of `threads`; returns when all have.
 * @param scratch this thread's own scratch, as large as the largest step asks for
 * @param team shared by all threads
 * @returns whether all threads came to the end; if not, a thread is lost and so is the run
 */
export function run(tape: usize, thread: i32, threads: i32, scratch: usize, team: Team): bool {
  const next = thread + 1;
  while (word(tape, 0) != Operation.End) {
    switch (word(tape, 0)) {
      case Operation.Barrier: {
        if (!barrier(team, thread, threads)) return false;
        tape += 4;
        break;
      }
      case Operation.EmbedF32:
      case Operation.EmbedQ8:
      case Operation.EmbedQ4: {
        // weights, tokens, target, rows, width, wide, factor
        const rows = word(tape, 4);
        const width = word(tape, 5);
        for (let row = share(rows, thread, threads); row < share(rows, next, threads); row++) {
          const token = load<i32>(<usize>word(tape, 2) + (<usize>row << 2));
          const target = <usize>word(tape, 3) + (<usize>row * width << 2);
          if (word(tape, 0) == Operation.EmbedF32) embedF32(word(tape, 1), token, width, target);
          else if (word(tape, 0) == Operation.EmbedQ8) embedQ8(word(tape, 1), token, width, target);
          else embedQ4(word(tape, 1), token, width, target, bool(word(tape, 6)));
          if (number(tape, 7) != 1) {
            const factor = f32x4.splat(number(tape, 7));
            for (let i: usize = 0; i < <usize>width << 2; i += 16) v128.store(target + i, f32x4.mul(v128.load(target + i), factor));
          }
        }
        tape += 32;
        break;
      }
      case Operation.RmsNorm: {
        // source, weight, target, width, epsilon, rows, accumulate
        const rows = word(tape, 6);
        rmsNorm(word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), number(tape, 5), share(rows, thread, threads), share(rows, next, threads), word(tape, 7));
        tape += 32;
        break;
      }
      case Operation.PackRows: {
        // source, target, rows, depth
        const tiles = (word(tape, 3) + 3) >> 2;
        packRowsF32(word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), share(tiles, thread, threads), share(tiles, next, threads));
        tape += 20;
        break;
      }
      case Operation.QuantiseRows: {
        // source, target, scales, rows, depth
        const tiles = (word(tape, 4) + 3) >> 2;
        quantiseRows(word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), word(tape, 5), share(tiles, thread, threads), share(tiles, next, threads));
        tape += 24;
        break;
      }
      case Operation.QuantiseRow: {
        // source, target, scale, depth
        if (thread == 0) quantiseRow(word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4));
        tape += 20;
        break;
      }
      case Operation.MatmulF32: {
        // activations, weights, results, result stride, rows, depth, panels, accumulate
        const panels = word(tape, 7);
        matmulF32(
          word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), word(tape, 5), word(tape, 6),
          share(panels, thread, threads), share(panels, next, threads), word(tape, 8),
        );
        tape += 36;
        break;
      }
      case Operation.MatvecF32: {
        // activations, weights, results, depth, panels, accumulate
        const panels = word(tape, 5);
        matvecF32(word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), share(panels, thread, threads), share(panels, next, threads), word(tape, 6));
        tape += 28;
        break;
      }
      case Operation.MatmulQ8: {
        // activations, row scales, weights, results, result stride, rows, depth, panels, accumulate
        const panels = word(tape, 8);
        matmulQ8(
          word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), word(tape, 5), word(tape, 6), word(tape, 7),
          share(panels, thread, threads), share(panels, next, threads), word(tape, 9), scratch,
        );
        tape += 40;
        break;
      }
      case Operation.MatvecQ8: {
        // activations, scale, weights, results, depth, panels, accumulate
        const panels = word(tape, 6);
        matvecQ8(
          word(tape, 1), load<f32>(word(tape, 2)), word(tape, 3), word(tape, 4), word(tape, 5),
          share(panels, thread, threads), share(panels, next, threads), word(tape, 7),
        );
        tape += 32;
        break;
      }
      case Operation.Rotate: {
        // layer, cell with the address of the rotation rows, row offsets, half, factor, rows
        const layer = changetype<AttentionLayer>(<usize>word(tape, 1));
        const rotations = load<usize>(word(tape, 2));
        const rows = word(tape, 6);
        const first = share(rows, thread, threads);
        const end = share(rows, next, threads);
        const keyStride = <usize>(layer.kvHeads * layer.headSize) << 2;
        rotateRows(
          layer.queries, keyStride * layer.group, layer.kvHeads * layer.group, layer.group, layer.headSize, word(tape, 4),
          rotations, word(tape, 3), layer.heads, number(tape, 5), first, end,
        );
        rotateRows(
          layer.keys, keyStride, layer.kvHeads, 1, layer.headSize, word(tape, 4),
          rotations, word(tape, 3), layer.heads, number(tape, 5), first, end,
        );
        tape += 28;
        break;
      }
      case Operation.Append: {
        // layer, rows
        const layer = changetype<AttentionLayer>(<usize>word(tape, 1));
        const rows = word(tape, 2);
        const headBytes = <usize>layer.headSize << 2;
        for (let head = thread; head < layer.kvHeads; head += threads) {
          const entry = layer.stored + (<usize>head << 4);
          appendRows(
            layer.keys + headBytes * head, layer.values + headBytes * head, headBytes * layer.kvHeads,
            load<usize>(entry), load<i32>(entry, 4) - rows, rows, layer.headSize, layer.pageShift,
          );
        }
        tape += 12;
        break;
      }
      case Operation.Attend: {
        attend(changetype<AttentionLayer>(<usize>word(tape, 1)), scratch, thread, threads);
        tape += 8;
        break;
      }
      case Operation.AttendRow: {
        // layer, parts
        attendRow(changetype<AttentionLayer>(<usize>word(tape, 1)), word(tape, 2), scratch, thread, threads);
        tape += 12;
        break;
      }
      case Operation.MergeParts: {
        // layer, parts
        mergeParts(changetype<AttentionLayer>(<usize>word(tape, 1)), word(tape, 2), thread, threads);
        tape += 12;
        break;
      }
      case Operation.ScoreEntries: {
        scoreEntries(changetype<AttentionLayer>(<usize>word(tape, 1)), scratch, thread, threads);
        tape += 8;
        break;
      }
      case Operation.GateMultiply: {
        // gate, up, width, rows, gelu
        const rows = word(tape, 4);
        gateMultiply(word(tape, 1), word(tape, 2), word(tape, 3), share(rows, thread, threads), share(rows, next, threads), word(tape, 5));
        tape += 24;
        break;
      }
      case Operation.MatmulQ4: {
        // activations, row scales, weights, results, result stride, rows, depth, panels, accumulate, wide
        const panels = word(tape, 8);
        matmulQ4(
          word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), word(tape, 5), word(tape, 6), word(tape, 7),
          share(panels, thread, threads), share(panels, next, threads), word(tape, 9), bool(word(tape, 10)), scratch,
        );
        tape += 44;
        break;
      }
      case Operation.MatvecQ4: {
        // activations, scales, sums, weights, results, depth, panels, accumulate, wide
        const panels = word(tape, 7);
        matvecQ4(
          word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), word(tape, 5), word(tape, 6),
          share(panels, thread, threads), share(panels, next, threads), word(tape, 8), bool(word(tape, 9)),
        );
        tape += 40;
        break;
      }
      case Operation.Copy: {
        // source, target, count
        const first = <usize>share(word(tape, 3), thread, threads) << 2;
        const end = <usize>share(word(tape, 3), next, threads) << 2;
        memory.copy(<usize>word(tape, 2) + first, <usize>word(tape, 1) + first, end - first);
        tape += 16;
        break;
      }
      case Operation.AppendQ8: {
        // layer, rows
        const layer = changetype<AttentionLayer>(<usize>word(tape, 1));
        const rows = word(tape, 2);
        const headBytes = <usize>layer.headSize << 2;
        for (let head = thread; head < layer.kvHeads; head += threads) {
          const entry = layer.stored + (<usize>head << 4);
          appendRowsQ8(
            layer.keys + headBytes * head, layer.values + headBytes * head, headBytes * layer.kvHeads,
            load<usize>(entry), load<i32>(entry, 4) - rows, rows, load<i32>(entry, 8), layer.headSize, layer.pageShift,
          );
        }
        tape += 12;
        break;
      }
      case Operation.ExpandQ8: {
        // layer
        const layer = changetype<AttentionLayer>(<usize>word(tape, 1));
        for (let head = 0; head < layer.kvHeads; head++) {
          const stored = layer.stored + (<usize>head << 4);
          const pages = load<usize>(stored);
          const targets = load<usize>(layer.heads + (<usize>head << 4));
          const entries = load<i32>(stored, 4);
          const pageCount = (entries + (1 << layer.pageShift) - 1) >> layer.pageShift;
          for (let page = share(pageCount, thread, threads); page < share(pageCount, next, threads); page++) {
            const count = min(1 << layer.pageShift, entries - (page << layer.pageShift));
            expandQ8(
              load<usize>(pages + (<usize>page << 2)), load<usize>(targets + (<usize>page << 2)), count,
              layer.headSize, layer.pageShift, layer.rotations, layer.keyFactor,
            );
          }
        }
        tape += 8;
        break;
      }
      case Operation.QuantiseRowQ4: {
        // source, target, scales, sums, depth
        if (thread == 0) quantiseRowQ4(word(tape, 1), word(tape, 2), word(tape, 3), word(tape, 4), word(tape, 5));
        tape += 24;
        break;
      }
      case Operation.AddBias: {
        // bias, target, width, rows, accumulate
        const rows = word(tape, 4);
        addBias(word(tape, 1), word(tape, 2), word(tape, 3), share(rows, thread, threads), share(rows, next, threads), word(tape, 5));
        tape += 24;
        break;
      }
      case Operation.AttendRowQ8: {
        // layer, parts
        attendRowQ8(changetype<AttentionLayer>(<usize>word(tape, 1)), word(tape, 2), scratch, thread, threads);
        tape += 12;
        break;
      }
    }
  }
  return barrier(team, thread, threads);
}

/** Bytes that each thread needs as scratch: for attention, or for an integer product's widened panel of weights. */
export function scratchBytes(headSize: i32): i32 {
  // Pages have 64 entries at most.
  return max(4128, max(attentionScratch(headSize), attentionRowScratchQ8(headSize, 6)));
}

/** What a worker does until the team is dissolved: runs its share of one tape after another. */
export function serve(team: Team, thread: i32): void {
  let job = 0;
  while (nextJob(team, job)) {
    job++;
    if (!run(team.tape, thread, team.threads, team.scratch + team.scratchBytes * thread, team)) return;
  }
}
