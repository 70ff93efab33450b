/**
 * Attention of a batch of rows over the paged cache, eight query lanes at a time, with a running softmax: the weights of
 * one page at most are ever held.
 *
 * A batch is cut into segments. The first may be the text being read: its keys already stand in the pages and row r sees
 * the entries before it and itself. Every other segment is a question run behind the text: it sees the whole pages, then
 * its own rows before and with it, whose keys stand only in the batch's scratch; nothing of it enters the cache.
 */
import { LANES, addValues, capScores, maskScores, runningSoftmax, scoreKeys, scoreWeights } from "./attention-block";

/** What a layer's attention works on; written by the caller, one for each layer. All pointers are byte addresses. */
@unmanaged
export class AttentionLayer {
  /** [rows][queryHeads · headSize] f32, rotated; overwritten nowhere. */
  queries: usize;
  /** [rows][kvHeads · headSize] f32, rotated keys and values of the batch's rows. */
  keys: usize;
  values: usize;
  /** [rows][queryHeads · headSize] f32. */
  outputs: usize;
  /** [kvHeads] of {pages, entries, rotation base, unused}: 16 bytes each. Pages: [pages] addresses. Entries include the text's own rows. */
  heads: usize;
  /** [segments] of {first row, rows, 1 if its keys stand in the pages, unused}: 16 bytes each. */
  segments: usize;
  segmentCount: i32;
  kvHeads: i32;
  /** Query heads that share a key head. */
  group: i32;
  headSize: i32;
  pageShift: i32;
  /** 1 / sqrt(headSize), or what the model says instead. */
  scale: f32;
  /** [rows][queryHeads][2] f32: largest score and 1 / sum of each query's softmax; 0 where nobody asks. */
  statistics: usize;
  /** [kvHeads] addresses of f32 scores of the entries in the pages, or 0. */
  scores: usize;
  /** [rows] f32 factors for summed scores, or 0 for the sharpest weight. */
  factors: usize;
  /** As `heads`: the pages of the cache itself. `heads` is the same, or where an 8-bit cache's pages are expanded to f32. */
  stored: usize;
  /** For an 8-bit cache, rotation rows from position 0 on: headSize/2 cosines and as many sines, f32. */
  rotations: usize;
  /** The same as i16 of 16,384 for 1. */
  shortRotations: usize;
  /** By which a key is scaled when it is turned: YaRN's attention factor, else 1. */
  keyFactor: f32;
  /** c, where c · tanh(x / c) takes the place of a scaled product x; 0: none. */
  scoreCap: f32;
  /** [kvHeads][rows] i32, the first entry that a row sees, counted on behind the pages over a question's own rows; 0: all see all. */
  firstSeen: usize;
  /** Bytes from head to head there. */
  firstSeenStride: usize;
}

/** Bytes of scratch a thread needs for heads of `headSize`, with pages of at most 64 rows. */
export function attentionScratch(headSize: i32): i32 {
  return (headSize << 6) + 2048 + 256;
}

/** Computes the share of `thread` (of `threads`): tiles of eight lanes in turn. */
export function attend(layer: AttentionLayer, scratch: usize, thread: i32, threads: i32): void {
  let item = 0;
  for (let segment = 0; segment < layer.segmentCount; segment++) {
    const lanes = load<i32>(layer.segments + (<usize>segment << 4), 4) * layer.group;
    for (let head = 0; head < layer.kvHeads; head++) {
      for (let lane = 0; lane < lanes; lane += LANES) {
        if (item++ % threads == thread) attendTile(layer, layer.segments + (<usize>segment << 4), head, lane, scratch);
      }
    }
  }
}

function attendTile(layer: AttentionLayer, segment: usize, head: i32, firstLane: i32, scratch: usize): void {
  const headSize = layer.headSize;
  const queries = scratch;
  const outputs = queries + (<usize>headSize << 5);
  const scores = outputs + (<usize>headSize << 5);
  const state = scores + 2048;
  const limits = state + 64;

  const firstRow = load<i32>(segment);
  const rows = load<i32>(segment, 4);
  const inPages = load<i32>(segment, 8);
  const entry = layer.heads + (<usize>head << 4);
  const entries = load<i32>(entry, 4);

  loadQueries(layer, firstRow, rows, head, firstLane, queries);
  memory.fill(outputs, 0, <usize>headSize << 5);
  for (let lane: usize = 0; lane < 32; lane += 4) {
    store<f32>(state + lane, -f32.MAX_VALUE);
    store<f32>(state + lane, 0, 32);
  }

  const pageRows = 1 << layer.pageShift;
  const rowBytes = <usize>headSize << 2;
  const firstSeen = layer.firstSeen ? layer.firstSeen + layer.firstSeenStride * head + (<usize>firstRow << 2) : 0;
  const lastRow = min(rows - 1, (firstLane + LANES - 1) / layer.group);
  const first = firstSeen ? load<i32>(firstSeen + (<usize>(firstLane / layer.group) << 2)) : 0;
  const allSee = firstSeen ? load<i32>(firstSeen + (<usize>lastRow << 2)) : 0;
  // The text's own rows: row r sees what stood before the batch, and the rows 0..r.
  const before = inPages ? entries - rows : entries;
  const visible = inPages ? before + min(rows, (firstLane + LANES - 1) / layer.group + 1) : entries;
  const common = inPages ? before + firstLane / layer.group + 1 : entries;
  for (let start = first & -pageRows; start < visible; start += pageRows) {
    const count = min(pageRows, visible - start);
    const page = load<usize>(load<usize>(entry) + (<usize>(start >> layer.pageShift) << 2));
    scoreBlock(layer, queries, page, rowBytes, scores, count);
    if (start + count > common || start < allSee) {
      setLimits(limits, firstLane, layer.group, inPages ? before - start : count, firstSeen, lastRow, start);
      maskScores(scores, count, limits);
    }
    runningSoftmax(scores, count, state, outputs, headSize);
    addValues(scores, page + (rowBytes << layer.pageShift), rowBytes, outputs, count, headSize);
  }
  if (!inPages) {
    const stride = rowBytes * layer.kvHeads;
    const base = stride * firstRow + rowBytes * head;
    const own = min(rows, (firstLane + LANES - 1) / layer.group + 1);
    for (let start = 0; start < own; start += pageRows) {
      const count = min(pageRows, own - start);
      scoreBlock(layer, queries, layer.keys + base + stride * start, stride, scores, count);
      setLimits(limits, firstLane, layer.group, -start, firstSeen, lastRow, entries + start);
      maskScores(scores, count, limits);
      runningSoftmax(scores, count, state, outputs, headSize);
      addValues(scores, layer.values + base + stride * start, stride, outputs, count, headSize);
    }
  }
  storeOutputs(layer, firstRow, rows, head, firstLane, outputs, state);
}

/** Scores of a block's keys, capped. */
function scoreBlock(layer: AttentionLayer, queries: usize, keys: usize, stride: usize, scores: usize, count: i32): void {
  scoreKeys(queries, keys, stride, scores, count, layer.headSize);
  if (layer.scoreCap != 0) capScores(scores, scores + (<usize>count << 5), layer.scoreCap, 1);
}

/**
 * limits[lane] = offset + the lane's row + 1: the number of entries of a block that the lane may see; then the first that
 * it sees, counted from the block's `start`.
 */
function setLimits(limits: usize, firstLane: i32, group: i32, offset: i32, firstSeen: usize, lastRow: i32, start: i32): void {
  for (let lane = 0; lane < LANES; lane++) {
    const row = (firstLane + lane) / group;
    const at = limits + (<usize>lane << 2);
    store<i32>(at, offset + row + 1);
    store<i32>(at, firstSeen ? load<i32>(firstSeen + (<usize>min(row, lastRow) << 2)) - start : 0, 32);
  }
}

/** Address of the head that a lane stands for; lanes beyond the segment repeat its last. */
// @ts-ignore: decorator
@inline
function laneOffset(layer: AttentionLayer, firstRow: i32, rows: i32, head: i32, lane: i32): usize {
  const last = min(lane, rows * layer.group - 1);
  return <usize>((firstRow + last / layer.group) * layer.kvHeads * layer.group + head * layer.group + (last % layer.group));
}

function loadQueries(layer: AttentionLayer, firstRow: i32, rows: i32, head: i32, firstLane: i32, target: usize): void {
  const rowBytes = <usize>layer.headSize << 2;
  for (let lane = 0; lane < LANES; lane++) {
    const source = layer.queries + laneOffset(layer, firstRow, rows, head, firstLane + lane) * rowBytes;
    for (let i: usize = 0; i < rowBytes; i += 4) {
      store<f32>(target + (i << 3) + (<usize>lane << 2), load<f32>(source + i) * layer.scale);
    }
  }
}

function storeOutputs(layer: AttentionLayer, firstRow: i32, rows: i32, head: i32, firstLane: i32, outputs: usize, state: usize): void {
  const rowBytes = <usize>layer.headSize << 2;
  const lanes = min(LANES, rows * layer.group - firstLane);
  for (let lane = 0; lane < lanes; lane++) {
    const at = <usize>lane << 2;
    const offset = laneOffset(layer, firstRow, rows, head, firstLane + lane);
    const inverse: f32 = <f32>1 / load<f32>(state + at, 32);
    const target = layer.outputs + offset * rowBytes;
    for (let i: usize = 0; i < rowBytes; i += 4) store<f32>(target + i, load<f32>(outputs + (i << 3) + at) * inverse);
    if (layer.statistics) {
      store<f32>(layer.statistics + (offset << 3), load<f32>(state + at));
      store<f32>(layer.statistics + (offset << 3), inverse, 4);
    }
  }
}

/**
 * Adds to the scores of the entries in the pages what the questions' queries see in them; after `attend`, whose
 * statistics it needs. Threads take whole pages, so that no two write the same score.
 */
export function scoreEntries(layer: AttentionLayer, scratch: usize, thread: i32, threads: i32): void {
  const headSize = layer.headSize;
  const queries = scratch;
  const scores = queries + (<usize>headSize << 5);
  const state = scores + 2048;
  const factors = state + 64;
  const pageRows = 1 << layer.pageShift;
  for (let segment = 0; segment < layer.segmentCount; segment++) {
    const entryOfSegment = layer.segments + (<usize>segment << 4);
    if (load<i32>(entryOfSegment, 8)) continue;
    const firstRow = load<i32>(entryOfSegment);
    const rows = load<i32>(entryOfSegment, 4);
    for (let head = 0; head < layer.kvHeads; head++) {
      const entry = layer.heads + (<usize>head << 4);
      const entries = load<i32>(entry, 4);
      const target = load<usize>(layer.scores + (<usize>head << 2));
      for (let lane = 0; lane < rows * layer.group; lane += LANES) {
        loadQueries(layer, firstRow, rows, head, lane, queries);
        loadStatistics(layer, firstRow, rows, head, lane, state, factors);
        for (let start = thread << layer.pageShift; start < entries; start += threads << layer.pageShift) {
          const count = min(pageRows, entries - start);
          const page = load<usize>(load<usize>(entry) + (<usize>(start >> layer.pageShift) << 2));
          scoreBlock(layer, queries, page, <usize>headSize << 2, scores, count);
          if (layer.firstSeen) {
            const firstSeen = layer.firstSeen + layer.firstSeenStride * head + (<usize>firstRow << 2);
            setLimits(state + 128, lane, layer.group, count, firstSeen, rows - 1, start);
            maskScores(scores, count, state + 128);
          }
          scoreWeights(scores, count, state, layer.factors ? factors : 0, target + (<usize>start << 2));
        }
      }
    }
  }
}

/** Largest score, inverse sum and factor of eight lanes; lanes beyond the segment count for nothing in a sum. */
function loadStatistics(layer: AttentionLayer, firstRow: i32, rows: i32, head: i32, firstLane: i32, state: usize, factors: usize): void {
  for (let lane = 0; lane < LANES; lane++) {
    const at = <usize>lane << 2;
    const source = layer.statistics + (laneOffset(layer, firstRow, rows, head, firstLane + lane) << 3);
    store<f32>(state + at, load<f32>(source));
    store<f32>(state + at, load<f32>(source, 4), 32);
    if (!layer.factors) continue;
    const present = firstLane + lane < rows * layer.group;
    store<f32>(factors + at, present ? load<f32>(layer.factors + (<usize>(firstRow + (firstLane + lane) / layer.group) << 2)) : 0);
  }
}
