/**
 * A folder with a Llama model in bfloat16 as one GGUF file, with the weights that gguf-py's quantisers make of it and the
 * names and order that llama.cpp gives them. For tokenizers that split as nano's does: digits, then byte-level BPE.
 */
import { readFileSync } from "node:fs";
import { openSafetensors } from "../src/formats/safetensors.ts";
import { bytesSource } from "../src/formats/source.ts";
import { typeTraits } from "../src/formats/tensor-types.ts";
import { array, f32, type GgufPlan, type GgufValue, makeGguf, text, u32 } from "./gguf-write.ts";

/** Norms are F32 in every file; in Q4_0 the embedding, which is the output too, is Q8_0. */
export type QuantisedType = "Q8_0" | "Q4_0";

const BLOCK = 32;

/** The pre-tokenizer that GGUF calls "smollm"; what a folder says beside it would be lost. */
const SPLITTING = [
  { type: "Digits", individual_digits: true },
  { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
];

/** The JSON files of a folder, by their names without the ending. */
const filesOf = (folder: string) => (name: string) => JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));

/** The keys of the file: architecture, tokenizer and chat template. @throws Error for what they cannot say */
export function llamaKeys(folder: string): [string, GgufValue][] {
  const json = filesOf(folder);
  const config = json("config");
  const { model, added_tokens, pre_tokenizer, normalizer } = json("tokenizer");
  const { chat_template } = json("tokenizer_config");
  if (config.model_type !== "llama" || !config.tie_word_embeddings || config.rope_scaling) {
    throw new Error(`${folder}: only a Llama model with tied embeddings and plain rotary embedding can be written`);
  }
  if (normalizer || model.type !== "BPE" || JSON.stringify(pre_tokenizer.pretokenizers) !== JSON.stringify(SPLITTING)) {
    throw new Error(`${folder}: its tokenizer is not one of digits and byte-level BPE`);
  }
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [token, id] of Object.entries(model.vocab as Record<string, number>)) {
    tokens[id] = token;
    types[id] = 1;
  }
  for (const { content, id } of added_tokens as { content: string; id: number }[]) {
    tokens[id] = content;
    types[id] = 3;
  }
  return [
    ["general.architecture", text("llama")],
    ["llama.vocab_size", u32(config.vocab_size)],
    ["llama.context_length", u32(config.max_position_embeddings)],
    ["llama.embedding_length", u32(config.hidden_size)],
    ["llama.block_count", u32(config.num_hidden_layers)],
    ["llama.feed_forward_length", u32(config.intermediate_size)],
    ["llama.attention.head_count", u32(config.num_attention_heads)],
    ["llama.attention.head_count_kv", u32(config.num_key_value_heads)],
    ["llama.attention.key_length", u32(config.head_dim)],
    ["llama.attention.value_length", u32(config.head_dim)],
    ["llama.attention.layer_norm_rms_epsilon", f32(config.rms_norm_eps)],
    ["llama.rope.freq_base", f32(config.rope_theta)],
    ["llama.rope.dimension_count", u32(config.head_dim)],
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text("smollm")],
    ["tokenizer.ggml.tokens", array(8, tokens.map(text))],
    ["tokenizer.ggml.token_type", array(5, types.map(u32))],
    [
      "tokenizer.ggml.merges",
      array(
        8,
        (model.merges as string[][]).map((pair) => text(pair.join(" "))),
      ),
    ],
    ["tokenizer.ggml.bos_token_id", u32(config.bos_token_id)],
    ["tokenizer.ggml.eos_token_id", u32(config.eos_token_id)],
    ["tokenizer.ggml.padding_token_id", u32(config.pad_token_id)],
    ["tokenizer.chat_template", text(chat_template)],
  ];
}

/** The whole file. */
export async function llamaGguf(folder: string, type: QuantisedType): Promise<Uint8Array<ArrayBuffer>> {
  const config = filesOf(folder)("config");
  const file = await openSafetensors(
    bytesSource("model.safetensors", new Uint8Array(readFileSync(`${folder}/model.safetensors`))),
  );
  const tensors: NonNullable<GgufPlan["tensors"]> = [];
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const { name, shape, type: stored, source, byteOffset, byteLength } of file.tensors) {
    if (stored !== "BF16") throw new Error(`${name} is ${stored}, and only BF16 can be quantised`);
    const part = name.replace("model.", "").replace(".weight", "");
    const heads = /q_proj/.test(part)
      ? config.num_attention_heads
      : /k_proj/.test(part)
        ? config.num_key_value_heads
        : undefined;
    const bytes = new Uint8Array(byteLength);
    await source.readInto(byteOffset, bytes);
    const values = widen(bytes);
    const ordered = heads ? interleaved(values, heads, shape[1]!) : values;
    const form = shape.length === 1 ? "F32" : part === "embed_tokens" && type === "Q4_0" ? "Q8_0" : type;
    tensors.push({ name: ggufName(part), dimensions: [...shape].reverse(), type: typeTraits[form].ggmlType, offset });
    const data = { F32: asF32, Q8_0: asQ8, Q4_0: asQ4 }[form](ordered);
    parts.push(data);
    offset += data.length;
  }
  const data = new Uint8Array(offset);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return makeGguf({ keys: llamaKeys(folder), tensors, data });
}

/** llama.cpp's name of a tensor. */
function ggufName(part: string): string {
  const names: Record<string, string> = {
    embed_tokens: "token_embd",
    norm: "output_norm",
    input_layernorm: "attn_norm",
    post_attention_layernorm: "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
  };
  const [, layer, rest] = /^(?:layers\.(\d+)\.)?(.*)$/.exec(part)!;
  if (names[rest!] === undefined) throw new Error(`${part} has no name in GGUF`);
  return `${layer === undefined ? "" : `blk.${layer}.`}${names[rest!]}.weight`;
}

/** BF16 as f32. */
function widen(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes.length / 2);
  // The upper half of a number's bits lies behind the lower.
  const halves = new Uint16Array(bytes.buffer);
  const words = new Uint16Array(values.buffer);
  for (let index = 0; index < halves.length; index++) words[2 * index + 1] = halves[index]!;
  return values;
}

/** Rows of queries or keys with the two halves of every head interleaved. */
function interleaved(values: Float32Array, heads: number, width: number): Float32Array {
  const half = values.length / width / heads / 2;
  const result = new Float32Array(values.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < 2 * half; row++) {
      const from = (head * 2 * half + (row % 2) * half + (row >> 1)) * width;
      result.set(values.subarray(from, from + width), (head * 2 * half + row) * width);
    }
  }
  return result;
}

const asF32 = (values: Float32Array) => new Uint8Array(values.slice().buffer);

/** Bits of the nearest f16, ties to even. */
function half(value: number): number {
  const magnitude = Math.abs(value);
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const unit = 2 ** (exponent - 10);
  const whole = Math.floor(magnitude / unit);
  const rest = magnitude / unit - whole;
  const units = whole + Number(rest > 0.5 || (rest === 0.5 && whole % 2 === 1));
  // Subnormal numbers count units too; a carry into the next exponent is right by itself.
  return (value < 0 ? 0x8000 : 0) | (units + ((exponent + 14) << 10));
}

/** The number of a block that is farthest from zero, the first of several. */
function farthest(values: Float32Array, start: number): number {
  let most = 0;
  for (let index = start; index < start + BLOCK; index++) {
    if (Math.abs(values[index]!) > Math.abs(most)) most = values[index]!;
  }
  return most;
}

/** Q8_0: a scale of 1/127 of the largest; what lies between two steps goes away from zero. */
function asQ8(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array((values.length / BLOCK) * (BLOCK + 2));
  const view = new DataView(bytes.buffer);
  for (let start = 0, at = 0; start < values.length; start += BLOCK, at += BLOCK + 2) {
    const scale = Math.fround(Math.abs(farthest(values, start)) / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    view.setUint16(at, half(scale), true);
    for (let index = 0; index < BLOCK; index++) {
      const steps = Math.fround(values[start + index]! * inverse);
      view.setInt8(at + 2 + index, Math.sign(steps) * Math.round(Math.abs(steps)));
    }
  }
  return bytes;
}

/** Q4_0: a scale of -1/8 of the number farthest from zero, so that this becomes -8. */
function asQ4(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array((values.length / BLOCK) * (BLOCK / 2 + 2));
  const view = new DataView(bytes.buffer);
  for (let start = 0, at = 0; start < values.length; start += BLOCK, at += BLOCK / 2 + 2) {
    const scale = Math.fround(farthest(values, start) / -8);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const steps = (index: number) =>
      Math.min(Math.trunc(Math.fround(Math.fround(values[start + index]! * inverse) + 8.5)), 15);
    view.setUint16(at, half(scale), true);
    for (let index = 0; index < BLOCK / 2; index++) {
      bytes[at + 2 + index] = steps(index) | (steps(index + BLOCK / 2) << 4);
    }
  }
  return bytes;
}
