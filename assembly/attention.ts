/**
 * Attention of a batch of rows over the paged cache, eight query lanes at a time, with a running softmax: the weights of
 * one page at most are ever held.
 *
 * A batch is cut into segments. The first may be the text being read: its keys already stand in the pages and row r sees
 * the entries before it and itself. Every other segment is a question run behind the text: it sees the whole pages, then
 * its own rows before and with it, whose keys stand only in the batch's scratch; nothing of it enters the cache.
 */
import { HeadRecord, LayerRecord, SegmentRecord } from "../src/core/layouts";
import { LANES, addValues, maskScores, runningSoftmax, scoreKeys, scoreWeights } from "./attention-block";
import { address, number, recordAt, word } from "./words";

/** Bytes of scratch a thread needs for heads of `headSize`, with pages of at most 64 rows. */
export function attentionScratch(headSize: i32): i32 {
  return (headSize << 6) + 2048 + 256;
}

/** Computes the share of `thread` (of `threads`): tiles of eight lanes in turn. */
export function attend(layer: usize, scratch: usize, thread: i32, threads: i32): void {
  const segments = address(layer, LayerRecord.segments);
  const kvHeads = word(layer, LayerRecord.kvHeads);
  const group = word(layer, LayerRecord.group);
  let item = 0;
  for (let segment = 0; segment < word(layer, LayerRecord.segmentCount); segment++) {
    const place = recordAt(segments, segment, SegmentRecord.words);
    const lanes = word(place, SegmentRecord.rows) * group;
    for (let head = 0; head < kvHeads; head++) {
      for (let lane = 0; lane < lanes; lane += LANES) {
        if (item++ % threads == thread) attendTile(layer, place, head, lane, scratch);
      }
    }
  }
}

function attendTile(layer: usize, segment: usize, head: i32, firstLane: i32, scratch: usize): void {
  const group = word(layer, LayerRecord.group);
  const pageShift = word(layer, LayerRecord.pageShift);
  const headSize = word(layer, LayerRecord.headSize);
  const queries = scratch;
  const outputs = queries + (<usize>headSize << 5);
  const scores = outputs + (<usize>headSize << 5);
  const state = scores + 2048;
  const limits = state + 64;

  const firstRow = word(segment, SegmentRecord.firstRow);
  const rows = word(segment, SegmentRecord.rows);
  const inPages = word(segment, SegmentRecord.inPages);
  const entry = recordAt(address(layer, LayerRecord.heads), head, HeadRecord.words);
  const entries = word(entry, HeadRecord.entries);

  loadQueries(layer, firstRow, rows, head, firstLane, queries);
  memory.fill(outputs, 0, <usize>headSize << 5);
  for (let lane: usize = 0; lane < 32; lane += 4) {
    store<f32>(state + lane, -f32.MAX_VALUE);
    store<f32>(state + lane, 0, 32);
  }

  const pageRows = 1 << pageShift;
  const rowBytes = <usize>headSize << 2;
  // The text's own rows: row r sees what stood before the batch, and the rows 0..r.
  const before = inPages ? entries - rows : entries;
  const visible = inPages ? before + min(rows, (firstLane + LANES - 1) / group + 1) : entries;
  const common = inPages ? before + firstLane / group + 1 : entries;
  for (let start = 0; start < visible; start += pageRows) {
    const count = min(pageRows, visible - start);
    const page = address(address(entry, HeadRecord.pages), start >> pageShift);
    scoreKeys(queries, page, rowBytes, scores, count, headSize);
    if (start + count > common) {
      setLimits(limits, firstLane, group, before - start);
      maskScores(scores, count, limits);
    }
    runningSoftmax(scores, count, state, outputs, headSize);
    addValues(scores, page + (rowBytes << pageShift), rowBytes, outputs, count, headSize);
  }
  if (!inPages) {
    const stride = rowBytes * word(layer, LayerRecord.kvHeads);
    const base = stride * firstRow + rowBytes * head;
    const own = min(rows, (firstLane + LANES - 1) / group + 1);
    for (let start = 0; start < own; start += pageRows) {
      const count = min(pageRows, own - start);
      scoreKeys(queries, address(layer, LayerRecord.keys) + base + stride * start, stride, scores, count, headSize);
      setLimits(limits, firstLane, group, -start);
      maskScores(scores, count, limits);
      runningSoftmax(scores, count, state, outputs, headSize);
      addValues(scores, address(layer, LayerRecord.values) + base + stride * start, stride, outputs, count, headSize);
    }
  }
  storeOutputs(layer, firstRow, rows, head, firstLane, outputs, state);
}

/** limits[lane] = offset + the lane's row + 1: the number of entries of a block that the lane may see. */
function setLimits(limits: usize, firstLane: i32, group: i32, offset: i32): void {
  for (let lane = 0; lane < LANES; lane++) store<i32>(limits + (<usize>lane << 2), offset + (firstLane + lane) / group + 1);
}

/** Address of the head that a lane stands for; lanes beyond the segment repeat its last. */
// @ts-ignore: decorator
@inline
function laneOffset(layer: usize, firstRow: i32, rows: i32, head: i32, lane: i32): usize {
  const group = word(layer, LayerRecord.group);
  const last = min(lane, rows * group - 1);
  return <usize>((firstRow + last / group) * word(layer, LayerRecord.kvHeads) * group + head * group + (last % group));
}

function loadQueries(layer: usize, firstRow: i32, rows: i32, head: i32, firstLane: i32, target: usize): void {
  const rowBytes = <usize>word(layer, LayerRecord.headSize) << 2;
  for (let lane = 0; lane < LANES; lane++) {
    const source = address(layer, LayerRecord.queries) + laneOffset(layer, firstRow, rows, head, firstLane + lane) * rowBytes;
    for (let i: usize = 0; i < rowBytes; i += 4) {
      store<f32>(target + (i << 3) + (<usize>lane << 2), load<f32>(source + i) * number(layer, LayerRecord.scale));
    }
  }
}

function storeOutputs(layer: usize, firstRow: i32, rows: i32, head: i32, firstLane: i32, outputs: usize, state: usize): void {
  const statistics = address(layer, LayerRecord.statistics);
  const rowBytes = <usize>word(layer, LayerRecord.headSize) << 2;
  const lanes = min(LANES, rows * word(layer, LayerRecord.group) - firstLane);
  for (let lane = 0; lane < lanes; lane++) {
    const at = <usize>lane << 2;
    const offset = laneOffset(layer, firstRow, rows, head, firstLane + lane);
    const inverse: f32 = <f32>1 / load<f32>(state + at, 32);
    const target = address(layer, LayerRecord.outputs) + offset * rowBytes;
    for (let i: usize = 0; i < rowBytes; i += 4) store<f32>(target + i, load<f32>(outputs + (i << 3) + at) * inverse);
    if (statistics) {
      store<f32>(statistics + (offset << 3), load<f32>(state + at));
      store<f32>(statistics + (offset << 3), inverse, 4);
    }
  }
}

/**
 * Adds to the scores of the entries in the pages what the questions' queries see in them; after `attend`, whose
 * statistics it needs. Threads take whole pages, so that no two write the same score.
 */
export function scoreEntries(layer: usize, scratch: usize, thread: i32, threads: i32): void {
  const group = word(layer, LayerRecord.group);
  const pageShift = word(layer, LayerRecord.pageShift);
  const headSize = word(layer, LayerRecord.headSize);
  const queries = scratch;
  const scores = queries + (<usize>headSize << 5);
  const state = scores + 2048;
  const factors = state + 64;
  const pageRows = 1 << pageShift;
  for (let segment = 0; segment < word(layer, LayerRecord.segmentCount); segment++) {
    const entryOfSegment = recordAt(address(layer, LayerRecord.segments), segment, SegmentRecord.words);
    if (word(entryOfSegment, SegmentRecord.inPages)) continue;
    const firstRow = word(entryOfSegment, SegmentRecord.firstRow);
    const rows = word(entryOfSegment, SegmentRecord.rows);
    for (let head = 0; head < word(layer, LayerRecord.kvHeads); head++) {
      const entry = recordAt(address(layer, LayerRecord.heads), head, HeadRecord.words);
      const entries = word(entry, HeadRecord.entries);
      const target = address(address(layer, LayerRecord.scores), head);
      for (let lane = 0; lane < rows * group; lane += LANES) {
        loadQueries(layer, firstRow, rows, head, lane, queries);
        loadStatistics(layer, firstRow, rows, head, lane, state, factors);
        for (let start = thread << pageShift; start < entries; start += threads << pageShift) {
          const count = min(pageRows, entries - start);
          const page = address(address(entry, HeadRecord.pages), start >> pageShift);
          scoreKeys(queries, page, <usize>headSize << 2, scores, count, headSize);
          scoreWeights(scores, count, state, address(layer, LayerRecord.factors) ? factors : 0, target + (<usize>start << 2));
        }
      }
    }
  }
}

/** Largest score, inverse sum and factor of eight lanes; lanes beyond the segment count for nothing in a sum. */
function loadStatistics(layer: usize, firstRow: i32, rows: i32, head: i32, firstLane: i32, state: usize, factors: usize): void {
  const group = word(layer, LayerRecord.group);
  const given = address(layer, LayerRecord.factors);
  for (let lane = 0; lane < LANES; lane++) {
    const at = <usize>lane << 2;
    const source = address(layer, LayerRecord.statistics) + (laneOffset(layer, firstRow, rows, head, firstLane + lane) << 3);
    store<f32>(state + at, load<f32>(source));
    store<f32>(state + at, load<f32>(source, 4), 32);
    if (!given) continue;
    const present = firstLane + lane < rows * group;
    store<f32>(factors + at, present ? load<f32>(given + (<usize>(firstRow + (firstLane + lane) / group) << 2)) : 0);
  }
}
