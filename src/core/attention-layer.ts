/** The record that tells the core's attention what a layer works on; assembly/attention.ts has it field by field. */
import type { Core } from "./core.ts";

/** All pointers are byte addresses; see the fields' meaning and shapes in assembly/attention.ts. */
export interface AttentionLayer {
  queries: number;
  keys: number;
  values: number;
  outputs: number;
  heads: number;
  segments: number;
  segmentCount: number;
  kvHeads: number;
  group: number;
  headSize: number;
  pageShift: number;
  scale: number;
  statistics: number;
  scores: number;
  factors: number;
  stored: number;
  rotations: number;
  shortRotations: number;
  keyFactor: number;
  scoreCap: number;
  firstSeen: number;
  firstSeenStride: number;
}

/** Bytes of one record. */
export const ATTENTION_LAYER_BYTES = 128;

/** Writes one record. */
export function writeAttentionLayer(core: Core, pointer: number, layer: AttentionLayer): void {
  core
    .u32(pointer, 11)
    .set([
      layer.queries,
      layer.keys,
      layer.values,
      layer.outputs,
      layer.heads,
      layer.segments,
      layer.segmentCount,
      layer.kvHeads,
      layer.group,
      layer.headSize,
      layer.pageShift,
    ]);
  core.f32(pointer + 44, 1)[0] = layer.scale;
  core
    .u32(pointer + 48, 6)
    .set([layer.statistics, layer.scores, layer.factors, layer.stored, layer.rotations, layer.shortRotations]);
  core.f32(pointer + 72, 2).set([layer.keyFactor, layer.scoreCap]);
  core.u32(pointer + 80, 2).set([layer.firstSeen, layer.firstSeenStride]);
}
