/**
 * The tape: the steps of a forward pass, written down by the caller as numbers in memory and run here in one call, by
 * one thread or by several that each take their share of every step. The core knows the steps, not the models.
 *
 * A step is its operation, then its arguments, 4 bytes each: src/core/layouts.ts names them.
 */
import {
  AddBiasStep,
  AppendStep,
  AttendRowStep,
  CopyStep,
  EmbedStep,
  Form,
  HeadRecord,
  LayerRecord,
  LayerStep,
  MatmulStep,
  MatvecStep,
  MergePartsStep,
  Operation,
  PackRowsStep,
  PlainStep,
  QuantiseRowStep,
  QuantiseRowsStep,
  RmsNormStep,
  RotateStep,
  SiluMultiplyStep,
  TeamRecord,
} from "../src/core/layouts";
import { attend, attentionScratch, scoreEntries } from "./attention";
import { attendRow, mergeParts } from "./attention-row";
import { attendRowQ8, attentionRowScratchQ8 } from "./attention-row-q8";
import { matmulF32 } from "./matmul-f32";
import { matvecF32 } from "./matvec-f32";
import { embedF32, embedQ8 } from "./pack";
import { appendRowsQ8, expandQ8 } from "./page-q8";
import { embedQ4 } from "./pack-q4";
import { appendRows, rotateRows } from "./rotary";
import { addBias, packRowsF32, quantiseRow, quantiseRowQ4, quantiseRows, rmsNorm, siluMultiply } from "./rows";
import { barrier, nextJob } from "./team";
import { matmulQ4, matvecQ4 } from "./weights-q4";
import { matmulQ8, matvecQ8 } from "./weights-q8";
import { address, number, recordAt, word, wordAt } from "./words";

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
export function run(tape: usize, thread: i32, threads: i32, scratch: usize, team: usize): bool {
  const next = thread + 1;
  while (word(tape, 0) != Operation.End) {
    switch (word(tape, 0)) {
      case Operation.Barrier: {
        if (!barrier(team, thread, threads)) return false;
        tape = wordAt(tape, PlainStep.words);
        break;
      }
      case Operation.Embed: {
        const rows = word(tape, EmbedStep.rows);
        for (let row = share(rows, thread, threads); row < share(rows, next, threads); row++) embedRow(tape, row);
        tape = wordAt(tape, EmbedStep.words);
        break;
      }
      case Operation.RmsNorm: {
        const rows = word(tape, RmsNormStep.rows);
        rmsNorm(
          address(tape, RmsNormStep.source), address(tape, RmsNormStep.weight), address(tape, RmsNormStep.target),
          word(tape, RmsNormStep.width), number(tape, RmsNormStep.epsilon), share(rows, thread, threads), share(rows, next, threads),
        );
        tape = wordAt(tape, RmsNormStep.words);
        break;
      }
      case Operation.PackRows: {
        const rows = word(tape, PackRowsStep.rows);
        const tiles = (rows + 3) >> 2;
        packRowsF32(
          address(tape, PackRowsStep.source), address(tape, PackRowsStep.target), rows, word(tape, PackRowsStep.depth),
          share(tiles, thread, threads), share(tiles, next, threads),
        );
        tape = wordAt(tape, PackRowsStep.words);
        break;
      }
      case Operation.QuantiseRows: {
        const rows = word(tape, QuantiseRowsStep.rows);
        const tiles = (rows + 3) >> 2;
        quantiseRows(
          address(tape, QuantiseRowsStep.source), address(tape, QuantiseRowsStep.target), address(tape, QuantiseRowsStep.scales),
          rows, word(tape, QuantiseRowsStep.depth), share(tiles, thread, threads), share(tiles, next, threads),
        );
        tape = wordAt(tape, QuantiseRowsStep.words);
        break;
      }
      case Operation.QuantiseRow:
      case Operation.QuantiseRowQ4: {
        if (thread == 0) quantiseOne(tape);
        tape = wordAt(tape, QuantiseRowStep.words);
        break;
      }
      case Operation.AddBias: {
        const rows = word(tape, AddBiasStep.rows);
        addBias(
          address(tape, AddBiasStep.bias), address(tape, AddBiasStep.target), word(tape, AddBiasStep.width),
          share(rows, thread, threads), share(rows, next, threads), word(tape, AddBiasStep.accumulate),
        );
        tape = wordAt(tape, AddBiasStep.words);
        break;
      }
      case Operation.Matmul: {
        const panels = word(tape, MatmulStep.panels);
        matmul(tape, share(panels, thread, threads), share(panels, next, threads), scratch);
        tape = wordAt(tape, MatmulStep.words);
        break;
      }
      case Operation.Matvec: {
        const panels = word(tape, MatvecStep.panels);
        matvec(tape, share(panels, thread, threads), share(panels, next, threads));
        tape = wordAt(tape, MatvecStep.words);
        break;
      }
      case Operation.Rotate: {
        const rows = word(tape, RotateStep.rows);
        rotate(tape, share(rows, thread, threads), share(rows, next, threads));
        tape = wordAt(tape, RotateStep.words);
        break;
      }
      case Operation.Append: {
        const heads = word(address(tape, AppendStep.layer), LayerRecord.kvHeads);
        for (let head = thread; head < heads; head += threads) append(tape, head);
        tape = wordAt(tape, AppendStep.words);
        break;
      }
      case Operation.Expand: {
        expand(address(tape, LayerStep.layer), thread, threads);
        tape = wordAt(tape, LayerStep.words);
        break;
      }
      case Operation.Attend: {
        attend(address(tape, LayerStep.layer), scratch, thread, threads);
        tape = wordAt(tape, LayerStep.words);
        break;
      }
      case Operation.AttendRow: {
        const layer = address(tape, AttendRowStep.layer);
        const parts = address(tape, AttendRowStep.parts);
        if (word(tape, AttendRowStep.form) == Form.f32) attendRow(layer, parts, scratch, thread, threads);
        else attendRowQ8(layer, parts, scratch, thread, threads);
        tape = wordAt(tape, AttendRowStep.words);
        break;
      }
      case Operation.MergeParts: {
        mergeParts(address(tape, MergePartsStep.layer), address(tape, MergePartsStep.parts), thread, threads);
        tape = wordAt(tape, MergePartsStep.words);
        break;
      }
      case Operation.ScoreEntries: {
        scoreEntries(address(tape, LayerStep.layer), scratch, thread, threads);
        tape = wordAt(tape, LayerStep.words);
        break;
      }
      case Operation.SiluMultiply: {
        const rows = word(tape, SiluMultiplyStep.rows);
        siluMultiply(
          address(tape, SiluMultiplyStep.gate), address(tape, SiluMultiplyStep.up), word(tape, SiluMultiplyStep.width),
          share(rows, thread, threads), share(rows, next, threads),
        );
        tape = wordAt(tape, SiluMultiplyStep.words);
        break;
      }
      case Operation.Copy: {
        const first = <usize>share(word(tape, CopyStep.count), thread, threads) << 2;
        const end = <usize>share(word(tape, CopyStep.count), next, threads) << 2;
        memory.copy(address(tape, CopyStep.target) + first, address(tape, CopyStep.source) + first, end - first);
        tape = wordAt(tape, CopyStep.words);
        break;
      }
    }
  }
  return barrier(team, thread, threads);
}

/** One row of an embedding. */
function embedRow(step: usize, row: i32): void {
  const weights = address(step, EmbedStep.weights);
  const width = word(step, EmbedStep.width);
  const token = word(address(step, EmbedStep.tokens), row);
  const target = recordAt(address(step, EmbedStep.target), row, width);
  const form = word(step, EmbedStep.form);
  if (form == Form.f32) embedF32(weights, token, width, target);
  else if (form == Form.q8) embedQ8(weights, token, width, target);
  else embedQ4(weights, token, width, target, bool(word(step, EmbedStep.wide)));
}

function quantiseOne(step: usize): void {
  const source = address(step, QuantiseRowStep.source);
  const target = address(step, QuantiseRowStep.target);
  const scales = address(step, QuantiseRowStep.scales);
  const depth = word(step, QuantiseRowStep.depth);
  if (word(step, 0) == Operation.QuantiseRow) quantiseRow(source, target, scales, depth);
  else quantiseRowQ4(source, target, scales, address(step, QuantiseRowStep.sums), depth);
}

/** The panels [first, end) of a product of many rows. */
function matmul(step: usize, first: i32, end: i32, scratch: usize): void {
  const activations = address(step, MatmulStep.activations);
  const scales = address(step, MatmulStep.scales);
  const weights = address(step, MatmulStep.weights);
  const results = address(step, MatmulStep.results);
  const stride = address(step, MatmulStep.resultStride);
  const rows = word(step, MatmulStep.rows);
  const depth = word(step, MatmulStep.depth);
  const accumulate = word(step, MatmulStep.accumulate);
  const form = word(step, MatmulStep.form);
  if (form == Form.f32) matmulF32(activations, weights, results, stride, rows, depth, first, end, accumulate);
  else if (form == Form.q8) matmulQ8(activations, scales, weights, results, stride, rows, depth, first, end, accumulate, scratch);
  else matmulQ4(activations, scales, weights, results, stride, rows, depth, first, end, accumulate, bool(word(step, MatmulStep.wide)), scratch);
}

/** The panels [first, end) of a product of one row. */
function matvec(step: usize, first: i32, end: i32): void {
  const activations = address(step, MatvecStep.activations);
  const scales = address(step, MatvecStep.scales);
  const weights = address(step, MatvecStep.weights);
  const results = address(step, MatvecStep.results);
  const depth = word(step, MatvecStep.depth);
  const accumulate = word(step, MatvecStep.accumulate);
  const form = word(step, MatvecStep.form);
  if (form == Form.f32) matvecF32(activations, weights, results, depth, first, end, accumulate);
  else if (form == Form.q8) matvecQ8(activations, load<f32>(scales), weights, results, depth, first, end, accumulate);
  else matvecQ4(activations, scales, address(step, MatvecStep.sums), weights, results, depth, first, end, accumulate, bool(word(step, MatvecStep.wide)));
}

/** Turns the queries and keys of the rows [first, end). */
function rotate(step: usize, first: i32, end: i32): void {
  const layer = address(step, RotateStep.layer);
  const rotations = load<usize>(address(step, RotateStep.rotations));
  const rowOffsets = address(step, RotateStep.rowOffsets);
  const half = word(step, RotateStep.half);
  const factor = number(step, RotateStep.factor);
  const heads = address(layer, LayerRecord.heads);
  const kvHeads = word(layer, LayerRecord.kvHeads);
  const group = word(layer, LayerRecord.group);
  const headSize = word(layer, LayerRecord.headSize);
  const keyStride = <usize>(kvHeads * headSize) << 2;
  rotateRows(
    address(layer, LayerRecord.queries), keyStride * group, kvHeads * group, group, headSize, half,
    rotations, rowOffsets, heads, factor, first, end,
  );
  rotateRows(address(layer, LayerRecord.keys), keyStride, kvHeads, 1, headSize, half, rotations, rowOffsets, heads, factor, first, end);
}

/** Puts the keys and values of the text's rows into the pages of one head. */
function append(step: usize, head: i32): void {
  const layer = address(step, AppendStep.layer);
  const rows = word(step, AppendStep.rows);
  const headSize = word(layer, LayerRecord.headSize);
  const pageShift = word(layer, LayerRecord.pageShift);
  const keys = recordAt(address(layer, LayerRecord.keys), head, headSize);
  const values = recordAt(address(layer, LayerRecord.values), head, headSize);
  const stride = <usize>(headSize * word(layer, LayerRecord.kvHeads)) << 2;
  const stored = recordAt(address(layer, LayerRecord.stored), head, HeadRecord.words);
  const pages = address(stored, HeadRecord.pages);
  const before = word(stored, HeadRecord.entries) - rows;
  if (word(step, AppendStep.form) == Form.f32) appendRows(keys, values, stride, pages, before, rows, headSize, pageShift);
  else appendRowsQ8(keys, values, stride, pages, before, rows, word(stored, HeadRecord.rotationBase), headSize, pageShift);
}

/** Expands the 8-bit pages that a layer stores to those that its attention reads. */
function expand(layer: usize, thread: i32, threads: i32): void {
  const headSize = word(layer, LayerRecord.headSize);
  const pageShift = word(layer, LayerRecord.pageShift);
  for (let head = 0; head < word(layer, LayerRecord.kvHeads); head++) {
    const stored = recordAt(address(layer, LayerRecord.stored), head, HeadRecord.words);
    const pages = address(stored, HeadRecord.pages);
    const targets = address(recordAt(address(layer, LayerRecord.heads), head, HeadRecord.words), HeadRecord.pages);
    const entries = word(stored, HeadRecord.entries);
    const pageCount = (entries + (1 << pageShift) - 1) >> pageShift;
    for (let page = share(pageCount, thread, threads); page < share(pageCount, thread + 1, threads); page++) {
      const count = min(1 << pageShift, entries - (page << pageShift));
      expandQ8(
        address(pages, page), address(targets, page), count, headSize, pageShift,
        address(layer, LayerRecord.rotations), number(layer, LayerRecord.keyFactor),
      );
    }
  }
}

/** Bytes that each thread needs as scratch: for attention, or for an integer product's widened panel of weights. */
export function scratchBytes(headSize: i32): i32 {
  // Pages have 64 entries at most.
  return max(4128, max(attentionScratch(headSize), attentionRowScratchQ8(headSize, 6)));
}

/** What a worker does until the team is dissolved: runs its share of one tape after another. */
export function serve(team: usize, thread: i32): void {
  let job = 0;
  while (nextJob(team, job)) {
    job++;
    const scratch = address(team, TeamRecord.scratch) + address(team, TeamRecord.scratchBytes) * thread;
    if (!run(address(team, TeamRecord.tape), thread, word(team, TeamRecord.threads), scratch, team)) return;
  }
}
