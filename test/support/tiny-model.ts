/** Tiny Llama models of any sizes with seeded weights, written as GGUF and as safetensors with their config.json. */
import { writeSafetensors } from "../../src/formats/safetensors-write.ts";
import { array, type GgufValue, makeGguf, text, u32 } from "./files.ts";
import { seededRandom } from "./random.ts";

/** The sizes of a model. */
export interface TinySizes {
  readonly width: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabulary: number;
}

/** A tensor by its Hugging Face name. */
export interface TinyTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A model: its sizes, and tensors under Hugging Face's names, heads in Hugging Face's order. */
export interface TinyModel {
  readonly sizes: TinySizes;
  readonly tensors: Map<string, TinyTensor>;
}

const usual: TinySizes = {
  width: 32,
  feedForward: 64,
  layers: 2,
  queryHeads: 2,
  kvHeads: 1,
  headSize: 16,
  vocabulary: 260,
};

/** Which biases a model has. */
export interface TinyBiases {
  readonly attention?: boolean;
  readonly feedForward?: boolean;
}

/** A model of the usual sizes but for those given; the same for the same arguments. */
export function tinyModel(sizes: Partial<TinySizes> = {}, biases: TinyBiases = {}, seed = 1): TinyModel {
  const all = { ...usual, ...sizes };
  const { width, feedForward, layers, headSize, vocabulary } = all;
  const [queries, keys] = [all.queryHeads * headSize, all.kvHeads * headSize];
  const random = seededRandom(seed);
  const tensors = new Map<string, TinyTensor>();
  const add = (name: string, shape: number[], middle: number, reach: number) => {
    const count = shape.reduce((product, length) => product * length, 1);
    const values = Float32Array.from({ length: count }, () => middle + (random() - 0.5) * 2 * reach);
    tensors.set(name, { shape, values });
  };
  const norm = (name: string) => add(name, [width], 1, 0.2);
  const linear = (name: string, out: number, into: number, bias: boolean | undefined) => {
    // Sums of products then have about the size of what goes in.
    add(`${name}.weight`, [out, into], 0, Math.sqrt(3 / into));
    if (bias) add(`${name}.bias`, [out], 0, 0.5);
  };
  add("model.embed_tokens.weight", [vocabulary, width], 0, 1);
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}`;
    norm(`${prefix}.input_layernorm.weight`);
    linear(`${prefix}.self_attn.q_proj`, queries, width, biases.attention);
    linear(`${prefix}.self_attn.k_proj`, keys, width, biases.attention);
    linear(`${prefix}.self_attn.v_proj`, keys, width, biases.attention);
    linear(`${prefix}.self_attn.o_proj`, width, queries, biases.attention);
    norm(`${prefix}.post_attention_layernorm.weight`);
    linear(`${prefix}.mlp.gate_proj`, feedForward, width, biases.feedForward);
    linear(`${prefix}.mlp.up_proj`, feedForward, width, biases.feedForward);
    linear(`${prefix}.mlp.down_proj`, width, feedForward, biases.feedForward);
  }
  norm("model.norm.weight");
  linear("lm_head", vocabulary, width, false);
  return { sizes: all, tensors };
}

/** llama.cpp's names of the parts of Hugging Face's. */
const ggufParts: readonly (readonly [string, string])[] = [
  ["model.embed_tokens", "token_embd"],
  ["model.layers", "blk"],
  ["model.norm", "output_norm"],
  ["lm_head", "output"],
  ["input_layernorm", "attn_norm"],
  ["post_attention_layernorm", "ffn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
];

export const f32 = (value: number): GgufValue => ({
  type: 6,
  write: (writer) => void writer.bytes.push(...new Uint8Array(new Float32Array([value]).buffer)),
});
export const bool = (value: boolean): GgufValue => ({
  type: 7,
  write: (writer) => void writer.bytes.push(Number(value)),
});

/** A tensor that a file has besides, or instead of the model's own of that name: ggml's number of its type, and its bytes. */
export interface RawTensor {
  readonly shape: readonly number[];
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** What a GGUF has that its model does not say; undefined takes away. */
export interface GgufChanges {
  readonly keys?: Readonly<Record<string, GgufValue | undefined>>;
  readonly tensors?: Readonly<Record<string, RawTensor | undefined>>;
}

/** Tensors as GGUF has them: llama.cpp's names, both halves of the heads that turn in turn. */
export function ggufTensors({ sizes, tensors }: TinyModel): Map<string, RawTensor> {
  return new Map(
    [...tensors].map(([name, { shape, values }]) => {
      const named = ggufParts.reduce((result, [from, to]) => result.replace(from, to), name);
      const ordered = /attn_[qk]\./.test(named) ? inTurn(values, sizes.headSize, values.length / shape[0]!) : values;
      return [named, floats(shape, ordered)];
    }),
  );
}

/** A tensor of f32. */
export function floats(shape: readonly number[], values: Float32Array): RawTensor {
  return { shape, type: 0, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

function inTurn(values: Float32Array, headSize: number, rowLength: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < values.length / rowLength; row++) {
    const within = row % headSize;
    const place = row - within + (within % (headSize / 2)) * 2 + Math.floor(within / (headSize / 2));
    result.set(values.subarray(row * rowLength, (row + 1) * rowLength), place * rowLength);
  }
  return result;
}

/** The model as a GGUF file with a byte-level vocabulary. */
export function tinyGguf(model: TinyModel, { keys = {}, tensors = {} }: GgufChanges = {}): Uint8Array<ArrayBuffer> {
  return writeGguf({ ...ggufKeys(model), ...keys }, { ...Object.fromEntries(ggufTensors(model)), ...tensors });
}

/** The metadata of a model's GGUF. */
export function ggufKeys({ sizes }: TinyModel): Record<string, GgufValue> {
  return {
    "general.architecture": text("llama"),
    "llama.context_length": u32(512),
    "llama.embedding_length": u32(sizes.width),
    "llama.block_count": u32(sizes.layers),
    "llama.feed_forward_length": u32(sizes.feedForward),
    "llama.attention.head_count": u32(sizes.queryHeads),
    "llama.attention.head_count_kv": u32(sizes.kvHeads),
    "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
    "llama.rope.freq_base": f32(10_000),
    ...(sizes.width / sizes.queryHeads === sizes.headSize
      ? {}
      : { "llama.attention.key_length": u32(sizes.headSize), "llama.attention.value_length": u32(sizes.headSize) }),
    "tokenizer.ggml.model": text("gpt2"),
    "tokenizer.ggml.pre": text("gpt-2"),
    "tokenizer.ggml.tokens": array(8, vocabulary(sizes.vocabulary).map(text)),
    "tokenizer.ggml.merges": array(8, [text("a b")]),
    "tokenizer.ggml.token_type": array(
      5,
      vocabulary(sizes.vocabulary).map((_, id) => ({ type: 5, write: (writer) => writer.u32(id === 256 ? 3 : 1) })),
    ),
    "tokenizer.ggml.bos_token_id": u32(256),
    "tokenizer.ggml.eos_token_id": u32(256),
  };
}

/** A GGUF file of metadata and tensors. */
export function writeGguf(
  keys: Readonly<Record<string, GgufValue | undefined>>,
  tensors: Readonly<Record<string, RawTensor | undefined>>,
): Uint8Array<ArrayBuffer> {
  const placed: { offset: number; bytes: Uint8Array }[] = [];
  let end = 0;
  const described = Object.entries(tensors).flatMap(([name, tensor]) => {
    if (!tensor) return [];
    const offset = end;
    placed.push({ offset, bytes: tensor.bytes });
    end = Math.ceil((offset + tensor.bytes.length) / 32) * 32;
    return [{ name, dimensions: [...tensor.shape].reverse(), type: tensor.type, offset }];
  });
  const given = Object.entries(keys).filter((entry): entry is [string, GgufValue] => entry[1] !== undefined);
  const file = makeGguf({ keys: given, tensors: described, dataBytes: end });
  for (const { offset, bytes } of placed) file.set(bytes, file.length - end + offset);
  return file;
}

/** The spellings of the 256 bytes, then special and plain tokens up to `count`. */
function vocabulary(count: number): string[] {
  const spelled = Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return printable ? String.fromCharCode(byte) : "";
  });
  let next = 256;
  const bytes = spelled.map((letter) => letter || String.fromCharCode(next++));
  const more = Array.from({ length: Math.max(0, count - 258) }, (_, index) => `more${index}`);
  return [...bytes, "<|end|>", "ab", ...more].slice(0, count);
}

/** The model as a folder's files; `config` is laid over its config.json, `tensors` beside its own. */
export function tinyFolder(
  { sizes, tensors }: TinyModel,
  config: Readonly<Record<string, unknown>> = {},
  changes: Readonly<Record<string, TinyTensor | undefined>> = {},
): Record<string, Uint8Array<ArrayBuffer>> {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const all = Object.entries({ ...Object.fromEntries(tensors), ...changes }).flatMap(([name, tensor]) =>
    tensor ? [[name, { dtype: "F32" as const, shape: [...tensor.shape], data: tensor.values }] as const] : [],
  );
  const names = vocabulary(sizes.vocabulary);
  return {
    "config.json": encode({
      model_type: "llama",
      vocab_size: sizes.vocabulary,
      hidden_size: sizes.width,
      intermediate_size: sizes.feedForward,
      num_hidden_layers: sizes.layers,
      num_attention_heads: sizes.queryHeads,
      num_key_value_heads: sizes.kvHeads,
      head_dim: sizes.headSize,
      max_position_embeddings: 512,
      rms_norm_eps: 1e-5,
      ...config,
    }),
    "tokenizer.json": encode({
      added_tokens: [{ id: 256, content: "<|end|>", special: true }],
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab: Object.fromEntries(names.map((name, id) => [name, id])), merges: [["a", "b"]] },
    }),
    "tokenizer_config.json": encode({ bos_token: "<|end|>", eos_token: "<|end|>" }),
    "model.safetensors": writeSafetensors(Object.fromEntries(all)),
  };
}
