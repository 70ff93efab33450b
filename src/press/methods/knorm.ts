/** Knorm, by the norms of keys. */
import { definePress } from "../define.ts";
import { eachHead } from "../tools/each-head.ts";
import { rowNorms } from "../tools/vectors.ts";

/** Keeps the entries whose keys have the smallest L2 norm. */
export const knorm = definePress({
  name: "knorm",
  paper:
    "Knorm: A Simple and Effective L2 Norm-Based Strategy for KV Cache Compression (Devoto et al., EMNLP 2024, arXiv 2406.11430)",
  score: (layer) =>
    eachHead(layer, (head) => Float32Array.from(rowNorms(layer.keys(head), layer.headSize), (norm) => -norm)),
});
