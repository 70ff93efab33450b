/** A Llama model's forward pass in plain f64 arithmetic: what the engine's float32 is measured against. */
import { readFileSync } from "node:fs";
import { headerLength, parseHeader } from "../../src/formats/safetensors-header.ts";

/** The sizes of a model whose head is its embedding, named as in config.json. */
interface Sizes {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
}

/** @returns logits behind every token: [tokens][vocabulary], from a folder with config.json and bf16 weights */
export function doublePrecisionLogits(folder: string, tokens: ArrayLike<number>): Float64Array[] {
  const sizes = JSON.parse(readFileSync(`${folder}/config.json`, "utf8")) as Sizes;
  const weights = readBfloat16(`${folder}/model.safetensors`);
  const { hidden_size: width, rms_norm_eps: epsilon, head_dim: headSize, num_attention_heads: queryHeads } = sizes;
  const group = queryHeads / sizes.num_key_value_heads;
  const embedding = weights("model.embed_tokens.weight");
  const hidden = Array.from(tokens, (token) => Float64Array.from(embedding.subarray(token * width).subarray(0, width)));
  const turned = (row: Float64Array, position: number) => turn(row, position, headSize, sizes.rope_theta);
  for (let layer = 0; layer < sizes.num_hidden_layers; layer++) {
    const weight = (name: string) => weights(`model.layers.${layer}.${name}.weight`);
    const project = (rows: readonly Float64Array[], name: string) => {
      const matrix = weight(name);
      return rows.map((row) => times(matrix, row));
    };
    const normalise = (name: string) => {
      const scales = weight(name);
      return hidden.map((row) => norm(row, scales, epsilon));
    };
    const normed = normalise("input_layernorm");
    const queries = project(normed, "self_attn.q_proj").map(turned);
    const keys = project(normed, "self_attn.k_proj").map(turned);
    const values = project(normed, "self_attn.v_proj");
    const attended = queries.map((query, row) => attend(query, keys, values, row, headSize, group));
    addRows(hidden, project(attended, "self_attn.o_proj"));
    const again = normalise("post_attention_layernorm");
    const up = project(again, "mlp.up_proj");
    const gate = project(again, "mlp.gate_proj").map((row, index) =>
      row.map((x, i) => (x / (1 + Math.exp(-x))) * up[index]![i]!),
    );
    addRows(hidden, project(gate, "mlp.down_proj"));
  }
  const last = weights("model.norm.weight");
  return hidden.map((row) => times(embedding, norm(row, last, epsilon)));
}

/** The tensors of a file by name, bf16 widened. */
function readBfloat16(path: string): (name: string) => Float32Array {
  const bytes = new Uint8Array(readFileSync(path));
  const header = parseHeader(path, bytes.subarray(8, 8 + headerLength(path, bytes, bytes.length)), bytes.length);
  const entries = new Map(header.entries.map((entry) => [entry.name, entry]));
  return (name) => {
    const { byteOffset, byteLength } = entries.get(name)!;
    const halves = new Uint16Array(bytes.slice(byteOffset, byteOffset + byteLength).buffer);
    return new Float32Array(Uint32Array.from(halves, (half) => half * 65_536).buffer);
  };
}

/** weights [rows, depth] times vector [depth] */
function times(weights: Float32Array, vector: Float64Array): Float64Array {
  const depth = vector.length;
  const result = new Float64Array(weights.length / depth);
  for (let row = 0; row < result.length; row++) {
    let sum = 0;
    for (let i = 0; i < depth; i++) sum += weights[row * depth + i]! * vector[i]!;
    result[row] = sum;
  }
  return result;
}

function norm(row: Float64Array, weight: Float32Array, epsilon: number): Float64Array {
  const factor = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length + epsilon);
  return row.map((x, i) => x * factor * weight[i]!);
}

/** Each head's dimension i with dimension i + half, by frequencies of f32 as the reference holds them. */
function turn(row: Float64Array, position: number, headSize: number, theta: number): Float64Array {
  const half = headSize / 2;
  const result = row.slice();
  for (let at = 0; at < row.length; at += headSize) {
    for (let i = 0; i < half; i++) {
      const angle = position * Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headSize)));
      const [low, high] = [row[at + i]!, row[at + half + i]!];
      result[at + i] = low * Math.cos(angle) - high * Math.sin(angle);
      result[at + half + i] = high * Math.cos(angle) + low * Math.sin(angle);
    }
  }
  return result;
}

/** What a row's query heads see in the rows up to it. */
function attend(
  query: Float64Array,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  row: number,
  headSize: number,
  group: number,
): Float64Array {
  const result = new Float64Array(query.length);
  for (let at = 0; at < query.length; at += headSize) {
    const from = Math.floor(at / headSize / group) * headSize;
    const scores = keys.slice(0, row + 1).map((key) => {
      let sum = 0;
      for (let i = 0; i < headSize; i++) sum += query[at + i]! * key[from + i]!;
      return sum / Math.sqrt(headSize);
    });
    const largest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - largest));
    const total = powers.reduce((a, b) => a + b, 0);
    for (const [entry, power] of powers.entries()) {
      for (let i = 0; i < headSize; i++) result[at + i]! += (power / total) * values[entry]![from + i]!;
    }
  }
  return result;
}

function addRows(target: readonly Float64Array[], rows: readonly Float64Array[]): void {
  for (const [index, row] of rows.entries()) for (let i = 0; i < row.length; i++) target[index]![i]! += row[i]!;
}
