/**
 * The one table of a model's tensors: what each is for, what it is called in files of either kind, and its shape. Loading,
 * checking, packing, the fingerprint and the decoder's weights all go by it.
 */
import { type Axis, sizeOf } from "../core/axis.ts";
import type { ModelConfig } from "./config.ts";
import type { Layout } from "./layout.ts";
import type { LayerWeights, TensorPlace, WholeWeights } from "./weights.ts";

/** Whose names a file's tensors have: safetensors use Hugging Face's, GGUF files llama.cpp's. */
export type Naming = "huggingFace" | "gguf";

/** What is known of a tensor wherever it occurs. */
interface TensorKind {
  /** Its name, in a layer the part behind the layer's own; absent where files of the kind have no such tensor. */
  readonly huggingFace?: string;
  readonly gguf: string;
  /** Of its shape, outermost first; a vector has one. */
  readonly axes: readonly [AxisName] | readonly [AxisName, AxisName];
  /** What in the configuration says that there are such tensors. */
  readonly only?: BiasFlag;
  /** Whether it turns with the positions: llama.cpp keeps the two halves of such a head interleaved. */
  readonly turns?: true;
  /** Whether it is the weight of a norm. */
  readonly norm?: true;
}

type AxisName = Exclude<keyof Layout, "head">;
type BiasFlag = "attentionBias" | "mlpBias";

/** Tensors outside the layers. */
const whole: Readonly<Record<keyof WholeWeights, TensorKind>> = {
  embedding: { huggingFace: "model.embed_tokens.weight", gguf: "token_embd.weight", axes: ["vocabulary", "width"] },
  outputNorm: { huggingFace: "model.norm.weight", gguf: "output_norm.weight", axes: ["width"], norm: true },
  output: { huggingFace: "lm_head.weight", gguf: "output.weight", axes: ["vocabulary", "width"] },
  rotaryFactors: { gguf: "rope_freqs.weight", axes: ["pairs"] },
};

/** Tensors of every layer, in the order in which a forward pass meets them. */
const inLayer: Readonly<Record<keyof LayerWeights, TensorKind>> = {
  attentionNorm: { huggingFace: "input_layernorm.weight", gguf: "attn_norm.weight", axes: ["width"], norm: true },
  query: {
    huggingFace: "self_attn.q_proj.weight",
    gguf: "attn_q.weight",
    axes: ["queryHeads", "width"],
    turns: true,
  },
  queryBias: {
    huggingFace: "self_attn.q_proj.bias",
    gguf: "attn_q.bias",
    axes: ["queryHeads"],
    only: "attentionBias",
    turns: true,
  },
  key: { huggingFace: "self_attn.k_proj.weight", gguf: "attn_k.weight", axes: ["kvHeads", "width"], turns: true },
  keyBias: {
    huggingFace: "self_attn.k_proj.bias",
    gguf: "attn_k.bias",
    axes: ["kvHeads"],
    only: "attentionBias",
    turns: true,
  },
  value: { huggingFace: "self_attn.v_proj.weight", gguf: "attn_v.weight", axes: ["kvHeads", "width"] },
  valueBias: { huggingFace: "self_attn.v_proj.bias", gguf: "attn_v.bias", axes: ["kvHeads"], only: "attentionBias" },
  output: { huggingFace: "self_attn.o_proj.weight", gguf: "attn_output.weight", axes: ["width", "queryHeads"] },
  outputBias: {
    huggingFace: "self_attn.o_proj.bias",
    gguf: "attn_output.bias",
    axes: ["width"],
    only: "attentionBias",
  },
  feedForwardNorm: {
    huggingFace: "post_attention_layernorm.weight",
    gguf: "ffn_norm.weight",
    axes: ["width"],
    norm: true,
  },
  gate: { huggingFace: "mlp.gate_proj.weight", gguf: "ffn_gate.weight", axes: ["feedForward", "width"] },
  gateBias: { huggingFace: "mlp.gate_proj.bias", gguf: "ffn_gate.bias", axes: ["feedForward"], only: "mlpBias" },
  up: { huggingFace: "mlp.up_proj.weight", gguf: "ffn_up.weight", axes: ["feedForward", "width"] },
  upBias: { huggingFace: "mlp.up_proj.bias", gguf: "ffn_up.bias", axes: ["feedForward"], only: "mlpBias" },
  down: { huggingFace: "mlp.down_proj.weight", gguf: "ffn_down.weight", axes: ["width", "feedForward"] },
  downBias: { huggingFace: "mlp.down_proj.bias", gguf: "ffn_down.bias", axes: ["width"], only: "mlpBias" },
};

const layerPrefix: Readonly<Record<Naming, string>> = { huggingFace: "model.layers.", gguf: "blk." };

/** A tensor that a model's file must or may have. */
export interface ExpectedTensor {
  readonly place: TensorPlace;
  readonly name: string;
  /** Outermost first. */
  readonly shape: readonly number[];
  readonly axes: readonly Axis[];
  readonly required: boolean;
  /** Whether the rows of each head stand in llama.cpp's order: both halves in turn. */
  readonly interleaved: boolean;
  readonly norm: boolean;
}

/** The tensors of a model, one after another: layers may be claimed by the million, and the first one missing ends it. */
export function* expectedTensors(config: ModelConfig, layout: Layout, naming: Naming): Generator<ExpectedTensor> {
  const expected = (place: TensorPlace, kind: TensorKind, prefix: string, required: boolean): ExpectedTensor => {
    const axes = kind.axes.map((name) => layout[name]);
    return {
      place,
      name: `${prefix}${kind[naming]}`,
      shape: axes.map(sizeOf),
      axes,
      required,
      interleaved: naming === "gguf" && kind.turns === true,
      norm: kind.norm === true,
    };
  };
  const optional = { output: config.tiedEmbeddings, rotaryFactors: true, embedding: false, outputNorm: false };
  for (const role of Object.keys(whole) as (keyof WholeWeights)[]) {
    if (whole[role][naming]) yield expected({ layer: undefined, role }, whole[role], "", !optional[role]);
  }
  for (let layer = 0; layer < config.layers; layer++) {
    for (const role of Object.keys(inLayer) as (keyof LayerWeights)[]) {
      const { only } = inLayer[role];
      if (only && !config[only]) continue;
      // A GGUF does not say which biases it has: those that are there count.
      const required = !only || naming === "huggingFace";
      yield expected({ layer, role }, inLayer[role], `${layerPrefix[naming]}${layer}.`, required);
    }
  }
}

/** What is known of a tensor by its name, in whatever layer; undefined for a name that is not in the table. */
function kindOf(name: string, naming: Naming): TensorKind | undefined {
  const prefix = layerPrefix[naming];
  const part = name.startsWith(prefix) ? name.slice(prefix.length).replace(/^\d+\./, "") : undefined;
  const kinds = Object.values(part === undefined ? whole : inLayer);
  return kinds.find((kind) => kind[naming] === (part ?? name));
}

/** Whether models of this architecture have a tensor of this name, in whatever layer. */
export function isKnown(name: string, naming: Naming): boolean {
  return kindOf(name, naming) !== undefined;
}

/** Which biases a GGUF's tensors hold. */
export function biasesAmong(names: Iterable<string>): Record<BiasFlag, boolean> {
  const found = { attentionBias: false, mlpBias: false };
  for (const name of names) {
    const only = kindOf(name, "gguf")?.only;
    if (only) found[only] = true;
  }
  return found;
}

/** Roles in the order of the table. */
export const wholeRoles = Object.keys(whole) as readonly (keyof WholeWeights)[];
export const layerRoles = Object.keys(inLayer) as readonly (keyof LayerWeights)[];
