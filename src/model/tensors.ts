/**
 * The one table of a model's tensors: what each is for, what it is called in files of either kind, and its shape. Loading,
 * checking, packing, the fingerprint and the decoder's weights all go by it.
 */
import { type Axis, sizeOf } from "../core/axis.ts";
import { attentionBiases, feedForwardBiases, type LayerDescription, layerOf, type Projection } from "./architecture.ts";
import type { ModelConfig } from "./config.ts";
import { families } from "./families/index.ts";
import type { Layout } from "./layout.ts";
import type { LayerWeights, TensorPlace, WholeWeights } from "./weights.ts";

/** Whose names a file's tensors have: safetensors use Hugging Face's, GGUF files llama.cpp's. */
export type Naming = "huggingFace" | "gguf";

/** What is known of a tensor wherever it occurs. */
interface TensorKind {
  /**
   * Its name, in a layer the part behind the layer's own; absent where files of the kind have no such tensor. One that
   * depends on the layer has all its names here.
   */
  readonly huggingFace?: string | { readonly [norms in LayerDescription["norms"]]?: string };
  readonly gguf: string;
  /** Of its shape, outermost first; a vector has one. */
  readonly axes: readonly [AxisName] | readonly [AxisName, AxisName];
  /** The axis of a vector that the layer decides. */
  readonly axisOf?: (layer: LayerDescription) => AxisName;
  /** Whether a layer has it; always, where this is absent. */
  readonly only?: (layer: LayerDescription) => boolean;
  /** The product whose bias it is. */
  readonly biasOf?: Projection;
  /** Whether it turns with the positions: llama.cpp may keep the two halves of such a head interleaved. */
  readonly turns?: true;
  /** Whether it is the weight of a norm. */
  readonly norm?: true;
}

type AxisName = keyof Layout;

/** Tensors outside the layers. */
const whole: Readonly<Record<keyof WholeWeights, TensorKind>> = {
  embedding: { huggingFace: "model.embed_tokens.weight", gguf: "token_embd.weight", axes: ["vocabulary", "width"] },
  outputNorm: { huggingFace: "model.norm.weight", gguf: "output_norm.weight", axes: ["width"], norm: true },
  output: { huggingFace: "lm_head.weight", gguf: "output.weight", axes: ["vocabulary", "width"] },
  rotaryFactors: { gguf: "rope_freqs.weight", axes: ["pairs"] },
  shortRotaryFactors: { gguf: "rope_factors_short.weight", axes: ["pairs"] },
  longRotaryFactors: { gguf: "rope_factors_long.weight", axes: ["pairs"] },
};

const normsBefore = ({ norms }: LayerDescription) => norms !== "after";
const normsAfter = ({ norms }: LayerDescription) => norms !== "before";

function bias(
  of: Projection,
  huggingFace: string,
  gguf: string,
  axis: AxisName,
  turns: { turns?: true } = {},
): TensorKind {
  const only = ({ biases }: LayerDescription) => biases.includes(of);
  return { huggingFace: `${huggingFace}.bias`, gguf: `${gguf}.bias`, axes: [axis], biasOf: of, only, ...turns };
}

function headNorm(huggingFace: string, gguf: string, all: AxisName): TensorKind {
  return {
    huggingFace,
    gguf,
    axes: ["head"],
    axisOf: ({ queryKeyNorms }) => (queryKeyNorms === "head" ? "head" : all),
    only: ({ queryKeyNorms }) => queryKeyNorms !== "none",
    norm: true,
  };
}

/** Tensors of every layer, in the order in which a forward pass meets them. */
const inLayer: Readonly<Record<keyof LayerWeights, TensorKind>> = {
  attentionNorm: {
    huggingFace: "input_layernorm.weight",
    gguf: "attn_norm.weight",
    axes: ["width"],
    only: normsBefore,
    norm: true,
  },
  query: {
    huggingFace: "self_attn.q_proj.weight",
    gguf: "attn_q.weight",
    axes: ["queryHeads", "width"],
    turns: true,
  },
  queryBias: bias("query", "self_attn.q_proj", "attn_q", "queryHeads", { turns: true }),
  key: { huggingFace: "self_attn.k_proj.weight", gguf: "attn_k.weight", axes: ["kvHeads", "width"], turns: true },
  keyBias: bias("key", "self_attn.k_proj", "attn_k", "kvHeads", { turns: true }),
  value: { huggingFace: "self_attn.v_proj.weight", gguf: "attn_v.weight", axes: ["valueHeads", "width"] },
  valueBias: bias("value", "self_attn.v_proj", "attn_v", "valueHeads"),
  queryNorm: headNorm("self_attn.q_norm.weight", "attn_q_norm.weight", "queryHeads"),
  keyNorm: headNorm("self_attn.k_norm.weight", "attn_k_norm.weight", "kvHeads"),
  output: {
    huggingFace: "self_attn.o_proj.weight",
    gguf: "attn_output.weight",
    axes: ["width", "attendedHeads"],
  },
  outputBias: bias("output", "self_attn.o_proj", "attn_output", "width"),
  attentionOutputNorm: {
    huggingFace: "post_attention_layernorm.weight",
    gguf: "post_attention_norm.weight",
    axes: ["width"],
    only: normsAfter,
    norm: true,
  },
  feedForwardNorm: {
    huggingFace: { before: "post_attention_layernorm.weight", both: "pre_feedforward_layernorm.weight" },
    gguf: "ffn_norm.weight",
    axes: ["width"],
    only: normsBefore,
    norm: true,
  },
  gate: { huggingFace: "mlp.gate_proj.weight", gguf: "ffn_gate.weight", axes: ["feedForward", "width"] },
  gateBias: bias("gate", "mlp.gate_proj", "ffn_gate", "feedForward"),
  up: { huggingFace: "mlp.up_proj.weight", gguf: "ffn_up.weight", axes: ["feedForward", "width"] },
  upBias: bias("up", "mlp.up_proj", "ffn_up", "feedForward"),
  down: { huggingFace: "mlp.down_proj.weight", gguf: "ffn_down.weight", axes: ["width", "feedForward"] },
  downBias: bias("down", "mlp.down_proj", "ffn_down", "width"),
  feedForwardOutputNorm: {
    huggingFace: "post_feedforward_layernorm.weight",
    gguf: "post_ffw_norm.weight",
    axes: ["width"],
    only: normsAfter,
    norm: true,
  },
};

/** Matrices that a file may hold as one, rows of one after those of the other; the last part must be missing by itself. */
const fused: Readonly<Record<Naming, readonly (readonly [name: string, parts: readonly (keyof LayerWeights)[]])[]>> = {
  huggingFace: [
    ["self_attn.qkv_proj.weight", ["query", "key", "value"]],
    ["mlp.gate_up_proj.weight", ["gate", "up"]],
  ],
  gguf: [
    ["attn_qkv.weight", ["query", "key", "value"]],
    // Under the name of one of its parts, whose partner is then missing.
    ["ffn_up.weight", ["gate", "up"]],
  ],
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

/** Several tensors of one layer that a file may hold as one. */
export interface FusedTensor {
  readonly name: string;
  /** The names that the parts have by themselves, in the order of their rows, and how many rows they take. */
  readonly parts: readonly { readonly name: string; readonly rows: number }[];
}

const wholeMayLack: ReadonlySet<keyof WholeWeights> = new Set([
  "rotaryFactors",
  "shortRotaryFactors",
  "longRotaryFactors",
]);

/** The tensors of a model, one after another: layers may be claimed by the million, and the first one missing ends it. */
export function* expectedTensors(config: ModelConfig, layout: Layout, naming: Naming): Generator<ExpectedTensor> {
  const interleaved =
    naming === "gguf" && families.some(({ name, interleaved }) => name === config.architecture && interleaved);
  const expected = (
    place: TensorPlace,
    kind: TensorKind,
    name: string,
    required: boolean,
    axisNames: readonly AxisName[] = kind.axes,
  ): ExpectedTensor => {
    const axes = axisNames.map((name) => layout[name]);
    return {
      place,
      name,
      shape: axes.map(sizeOf),
      axes,
      required,
      interleaved: interleaved && kind.turns === true,
      norm: kind.norm === true,
    };
  };
  for (const role of Object.keys(whole) as (keyof WholeWeights)[]) {
    const name = nameOf(whole[role], naming, undefined);
    const required = !wholeMayLack.has(role) && !(role === "output" && config.tiedEmbeddings);
    if (name) yield expected({ layer: undefined, role }, whole[role], name, required);
  }
  for (let layer = 0; layer < config.layers; layer++) {
    const description = layerOf(config, layer);
    for (const role of layerRoles) {
      const kind = inLayer[role];
      if (kind.only && !kind.only(description)) continue;
      // A GGUF does not say which biases it has: those that are there count.
      const required = !kind.biasOf || naming === "huggingFace";
      const name = `${layerPrefix[naming]}${layer}.${nameOf(kind, naming, description)}`;
      const axes = kind.axisOf ? [kind.axisOf(description)] : kind.axes;
      yield expected({ layer, role }, kind, name, required, axes);
    }
  }
}

/** What a file may hold as one in a layer. */
export function fusedTensors(layer: number, layout: Layout, naming: Naming): FusedTensor[] {
  const prefix = `${layerPrefix[naming]}${layer}.`;
  return fused[naming].map(([name, roles]) => ({
    name: prefix + name,
    parts: roles.map((role) => ({
      name: prefix + nameOf(inLayer[role], naming, undefined),
      rows: sizeOf(layout[inLayer[role].axes[0]]),
    })),
  }));
}

function nameOf(
  { huggingFace, gguf }: TensorKind,
  naming: Naming,
  layer: LayerDescription | undefined,
): string | undefined {
  if (naming === "gguf") return gguf;
  return typeof huggingFace === "object" ? layer && huggingFace[layer.norms] : huggingFace;
}

/** What is known of a tensor by its name, in whatever layer; undefined for a name that is not in the table. */
function kindOf(name: string, naming: Naming): TensorKind | undefined {
  const prefix = layerPrefix[naming];
  const part = name.startsWith(prefix) ? name.slice(prefix.length).replace(/^\d+\./, "") : undefined;
  const kinds = Object.values(part === undefined ? whole : inLayer);
  const names = ({ huggingFace = "", gguf }: TensorKind) =>
    naming === "gguf" ? [gguf] : typeof huggingFace === "string" ? [huggingFace] : Object.values(huggingFace);
  return kinds.find((kind) => names(kind).includes(part ?? name));
}

/** Whether models have a tensor of this name, in whatever layer. */
export function isKnown(name: string, naming: Naming): boolean {
  return kindOf(name, naming) !== undefined;
}

/** Which biases a GGUF's tensors hold. */
export function biasesAmong(names: Iterable<string>): readonly Projection[] {
  const found = new Set<Projection>();
  for (const name of names) {
    const of = kindOf(name, "gguf")?.biasOf;
    if (of) found.add(of);
  }
  return [...attentionBiases, ...feedForwardBiases].filter((each) => found.has(each));
}

/** Roles in the order of the table. */
export const wholeRoles = Object.keys(whole) as readonly (keyof WholeWeights)[];
export const layerRoles = Object.keys(inLayer) as readonly (keyof LayerWeights)[];
