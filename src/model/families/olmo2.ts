/** OLMo 2 (2025, arXiv 2501.00656): norms behind attention and feed-forward layer, and of all queries and keys of a token. */
import { attentionBiases } from "../architecture.ts";
import type { Family } from "./family.ts";

export const olmo2: Family = {
  name: "olmo2",
  gguf: "olmo2",
  defaults: { rms_norm_eps: 1e-5 },
  fromJson: (reader, { layer }) => ({
    layerPattern: [
      {
        ...layer,
        norms: "after",
        queryKeyNorms: "row",
        biases: reader.flag("attention_bias", false) ? attentionBiases : [],
      },
    ],
  }),
  fromGguf: (_, { layer }) => ({ layerPattern: [{ ...layer, norms: "after", queryKeyNorms: "row" }] }),
};
