/** Tiny GGUF models of many sizes, with biases and with every way to scale RoPE, and how their positions turn in plain numbers. */
import { array, text, u32 } from "../support/files.ts";
import { type PlainRotary, plainFrequencies } from "../support/plain-forward.ts";
import { bool, f32, floats, type GgufChanges, type TinyModel, tinyModel } from "../support/tiny-model.ts";

/** A model, what its file has besides, and how it turns. */
interface Variation {
  readonly model: TinyModel;
  readonly changes: GgufChanges;
  readonly rotary: PlainRotary;
}

/** Fed to every variation; each has a vocabulary of at least 258. */
export const variationTokens = [
  256, 72, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100, 33, 10, 65, 66, 67, 200, 5, 17,
];

export const variations = new Map<string, Variation>();

function add(name: string, model: TinyModel, changes: GgufChanges = {}, rotary: PlainRotary = {}): void {
  variations.set(name, { model, changes, rotary });
}

add("plain", tinyModel());
for (const [headSize, queryHeads, kvHeads, width] of [
  [2, 2, 1, 32],
  [4, 8, 4, 32],
  [6, 7, 1, 42],
  [8, 4, 2, 32],
  [8, 2, 1, 43],
  [10, 3, 3, 30],
  [16, 5, 1, 40],
  [24, 2, 1, 48],
  [36, 3, 1, 108],
  [80, 2, 2, 64],
  [96, 2, 1, 64],
  [100, 2, 1, 200],
  [112, 1, 1, 64],
  [160, 2, 1, 64],
  [256, 1, 1, 64],
] as const) {
  const sizes = { headSize, queryHeads, kvHeads, width };
  add(`heads: ${queryHeads} of ${headSize} over ${kvHeads}, width ${width}`, tinyModel(sizes));
}
for (const feedForward of [1, 43, 172]) add(`feed-forward width ${feedForward}`, tinyModel({ feedForward }));
for (const vocabulary of [259, 261, 300]) add(`vocabulary of ${vocabulary}`, tinyModel({ vocabulary }));

add("attention biases", tinyModel({}, { attention: true }));
add("feed-forward biases", tinyModel({}, { feedForward: true }));
const odd = { headSize: 10, queryHeads: 3, kvHeads: 3, width: 30, feedForward: 43 };
add("all biases, odd sizes", tinyModel(odd, { attention: true, feedForward: true }));
const some = tinyModel({}, { attention: true, feedForward: true });
for (const name of [...some.tensors.keys()]) {
  if (name.endsWith("bias") && !/1\.self_attn\.q_proj|0\.mlp\.down_proj/.test(name)) some.tensors.delete(name);
}
add("one bias in either layer", some);

/** Frequencies divided by a factor and by one of their own. */
function divided(factor: number, own?: Float32Array): PlainRotary {
  return { frequencies: plainFrequencies(16).map((frequency, i) => frequency / factor / (own?.[i] ?? 1)) };
}

/** YaRN (Peng et al. 2023) as ggml blends it, between dimensions that turn 32 times and once within `original` positions. */
function yarn(
  factor: number,
  original: number,
  { headSize = 16, attention = 1, own = undefined as Float32Array | undefined } = {},
) {
  const bound = (turns: number) => (headSize * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(10_000));
  const [low, high] = [Math.max(0, Math.floor(bound(32))), Math.min(headSize - 1, Math.ceil(bound(1)))];
  const frequencies = plainFrequencies(headSize).map((plain, i) => {
    const frequency = plain / (own?.[i] ?? 1);
    const scaled = Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
    return (frequency / factor) * scaled + frequency * (1 - scaled);
  });
  return { frequencies, factor: attention * (factor > 1 ? 0.1 * Math.log(factor) + 1 : 1) };
}

const rope = (keys: NonNullable<GgufChanges["keys"]>): GgufChanges => ({
  keys: Object.fromEntries(Object.entries(keys).map(([name, value]) => [`llama.rope.${name}`, value])),
});
const own = Float32Array.from({ length: 8 }, (_, i) => 1 + i * 0.7);
const factors = { "rope_freqs.weight": floats([8], own) };
const four = { "scaling.factor": f32(4) };
const yarnOfFour = { ...four, "scaling.type": text("yarn"), "scaling.original_context_length": u32(128) };
const attention = Math.fround(1.3);

add("base", tinyModel(), rope({ freq_base: f32(500_000) }), { frequencies: plainFrequencies(16, 500_000) });
add("factor without a type", tinyModel(), rope(four), divided(4));
add("linear", tinyModel(), rope({ ...four, "scaling.type": text("linear") }), divided(4));
add("the old key", tinyModel(), rope({ scale_linear: f32(2.5) }), divided(2.5));
add("the old key beside the new", tinyModel(), rope({ scale_linear: f32(2.5), ...four }), divided(4));
add("a factor of 0", tinyModel(), rope({ scale_linear: f32(2.5), "scaling.factor": f32(0) }), divided(1));
add("type none", tinyModel(), rope({ ...four, "scaling.type": text("none") }), divided(1));
add("rope_freqs", tinyModel(), { tensors: factors }, divided(1, own));
add("rope_freqs of two axes", tinyModel(), { tensors: { "rope_freqs.weight": floats([1, 8], own) } }, divided(1, own));
add("rope_freqs and linear", tinyModel(), { ...rope(four), tensors: factors }, divided(4, own));
add("yarn", tinyModel(), rope(yarnOfFour), yarn(4, 128));
add("yarn of the whole context", tinyModel(), rope({ ...four, "scaling.type": text("yarn") }), yarn(4, 512));
add(
  "yarn of 0 positions",
  tinyModel(),
  rope({ ...yarnOfFour, "scaling.original_context_length": u32(0) }),
  yarn(4, 512),
);
add("yarn without a factor", tinyModel(), rope({ "scaling.type": text("yarn") }), yarn(1, 512));
add("yarn by a half", tinyModel(), rope({ ...yarnOfFour, "scaling.factor": f32(0.5) }), yarn(0.5, 128));
add(
  "yarn with an attention factor",
  tinyModel(),
  rope({ ...yarnOfFour, "scaling.attn_factor": f32(1.3), "scaling.finetuned": bool(true) }),
  yarn(4, 128, { attention }),
);
add("yarn and rope_freqs", tinyModel(), { ...rope(yarnOfFour), tensors: factors }, yarn(4, 128, { own }));
// llama.cpp reads these for other architectures only.
add(
  "yarn with keys that do nothing",
  tinyModel(),
  rope({
    ...yarnOfFour,
    "scaling.yarn_beta_fast": f32(8),
    "scaling.yarn_beta_slow": f32(2),
    "scaling.yarn_log_multiplier": f32(0.5),
    "scaling.yarn_ext_factor": f32(0.5),
    "scaling.yarn_attn_factor": f32(2),
  }),
  yarn(4, 128),
);
add(
  "yarn in padded heads",
  tinyModel({ headSize: 40 }),
  rope({ ...yarnOfFour, "scaling.factor": f32(8), "scaling.original_context_length": u32(64) }),
  yarn(8, 64, { headSize: 40 }),
);
add("linear with an attention factor", tinyModel(), rope({ ...four, "scaling.attn_factor": f32(1.3) }), {
  ...divided(4),
  factor: attention,
});
add("an attention factor alone", tinyModel(), rope({ "scaling.attn_factor": f32(1.3) }), {
  ...divided(1),
  factor: attention,
});
add("values for each layer", tinyModel(), {
  keys: {
    "llama.attention.head_count_kv": array(4, [u32(1), u32(1)]),
    "llama.feed_forward_length": array(4, [u32(64), u32(64)]),
  },
});
