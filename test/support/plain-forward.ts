/** Llama's forward pass in plain float64, token by token: what the decoder's results are compared with. */
import type { TinyModel } from "./tiny-model.ts";

/** How positions turn queries and keys. */
export interface PlainRotary {
  /** Radians a position, for each pair of a head's dimensions; default 10000^(-2i / headSize). */
  readonly frequencies?: readonly number[];
  /** On every cosine and sine. */
  readonly factor?: number;
}

/** What a pass leaves: logits of the last token, and for each layer and KV head keys (turned) and values of every token. */
export interface PlainResult {
  readonly logits: Float64Array;
  /** [layer][head] of [tokens · headSize] */
  readonly keys: number[][][];
  readonly values: number[][][];
  /** [layer] of [tokens][queryHeads · headSize], before they are turned. */
  readonly queries: Float64Array[][];
}

/** Default frequencies of a head. */
export function plainFrequencies(headSize: number, theta = 10_000): number[] {
  return Array.from({ length: headSize / 2 }, (_, i) => theta ** ((-2 * i) / headSize));
}

export function plainForward(
  { sizes, tensors }: TinyModel,
  tokens: readonly number[],
  { frequencies = plainFrequencies(sizes.headSize), factor = 1 }: PlainRotary = {},
): PlainResult {
  const { layers, queryHeads, kvHeads, headSize, width } = sizes;
  const group = queryHeads / kvHeads;
  const perHead = () => Array.from({ length: layers }, () => Array.from({ length: kvHeads }, (): number[] => []));
  const [keys, values] = [perHead(), perHead()];
  const queries = Array.from({ length: layers }, (): Float64Array[] => []);
  const weights = (name: string) => tensors.get(name)?.values;
  const linear = (name: string, x: Float64Array) => {
    const matrix = weights(`${name}.weight`)!;
    const bias = weights(`${name}.bias`);
    return Float64Array.from({ length: matrix.length / x.length }, (_, row) => {
      let sum = bias?.[row] ?? 0;
      for (let i = 0; i < x.length; i++) sum += matrix[row * x.length + i]! * x[i]!;
      return sum;
    });
  };
  const norm = (name: string, x: Float64Array) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + Math.fround(1e-5));
    return x.map((value, i) => value * scale * weights(`${name}.weight`)![i]!);
  };
  const turn = (heads: Float64Array, position: number) => {
    const turned = heads.slice();
    for (let start = 0; start < heads.length; start += headSize) {
      for (const [i, frequency] of frequencies.entries()) {
        const [low, high] = [start + i, start + i + headSize / 2];
        const [cosine, sine] = [Math.cos(position * frequency) * factor, Math.sin(position * frequency) * factor];
        turned[low] = heads[low]! * cosine - heads[high]! * sine;
        turned[high] = heads[high]! * cosine + heads[low]! * sine;
      }
    }
    return turned;
  };
  const attend = (layer: number, query: Float64Array) => {
    const result = new Float64Array(query.length);
    for (let head = 0; head < queryHeads; head++) {
      const own = query.subarray(head * headSize, (head + 1) * headSize);
      const [seen, taken] = [keys[layer]![Math.floor(head / group)]!, values[layer]![Math.floor(head / group)]!];
      const scores = Array.from({ length: seen.length / headSize }, (_, entry) => {
        return own.reduce((sum, value, i) => sum + value * seen[entry * headSize + i]!, 0) / Math.sqrt(headSize);
      });
      const largest = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
      for (const [entry, score] of scores.entries()) {
        const weight = Math.exp(score - largest) / total;
        for (let i = 0; i < headSize; i++) result[head * headSize + i]! += weight * taken[entry * headSize + i]!;
      }
    }
    return result;
  };
  const plus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]!);
  const split = (heads: Float64Array, target: number[][]) => {
    for (const [head, list] of target.entries()) list.push(...heads.subarray(head * headSize, (head + 1) * headSize));
  };

  let last = new Float64Array(width);
  for (const [position, token] of tokens.entries()) {
    let hidden = Float64Array.from(weights("model.embed_tokens.weight")!.subarray(token * width, (token + 1) * width));
    for (let layer = 0; layer < layers; layer++) {
      const prefix = `model.layers.${layer}`;
      const normed = norm(`${prefix}.input_layernorm`, hidden);
      const query = linear(`${prefix}.self_attn.q_proj`, normed);
      queries[layer]!.push(query);
      split(turn(linear(`${prefix}.self_attn.k_proj`, normed), position), keys[layer]!);
      split(linear(`${prefix}.self_attn.v_proj`, normed), values[layer]!);
      hidden = plus(hidden, linear(`${prefix}.self_attn.o_proj`, attend(layer, turn(query, position))));
      const rest = norm(`${prefix}.post_attention_layernorm`, hidden);
      const up = linear(`${prefix}.mlp.up_proj`, rest);
      const gate = linear(`${prefix}.mlp.gate_proj`, rest).map((x, i) => (x / (1 + Math.exp(-x))) * up[i]!);
      hidden = plus(hidden, linear(`${prefix}.mlp.down_proj`, gate));
    }
    last = hidden;
  }
  return { logits: linear("lm_head", norm("model.norm", last)), keys, values, queries };
}
