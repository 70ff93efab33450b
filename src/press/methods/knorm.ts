/** Knorm: A Simple and Effective L2 Norm-Based Strategy for KV Cache Compression (Devoto et al., EMNLP 2024, arXiv 2406.11430). */

import type { ScorePress } from "../press.ts";
import { eachHead } from "../tools/each-head.ts";
import { rowNorms } from "../tools/vectors.ts";

/** Keeps the entries whose keys have the smallest L2 norm. */
export function knorm(): ScorePress {
  return {
    kind: "score",
    name: "knorm",
    score: (entries) =>
      eachHead(entries, (head) => Float32Array.from(rowNorms(entries.keys(head), entries.headSize), (norm) => -norm)),
  };
}
