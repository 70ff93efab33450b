/** Every tensor and every key of a model's files is used, known to do nothing, or refused by its name. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { loadModel, type ModelSource } from "../../src/runtimes/node.ts";
import { assertNear, assertSame } from "../support/assertions.ts";
import { array, text, u32 } from "../support/files.ts";
import {
  bool,
  f32,
  floats,
  type GgufChanges,
  type RawTensor,
  type TinyTensor,
  tinyFolder,
  tinyGguf,
  tinyModel,
} from "../support/tiny-model.ts";

const test = suite("refused files");
const tokens = [72, 101, 108, 108, 111];
const tiny = tinyModel();

async function faultOf(source: ModelSource): Promise<string> {
  const error = await loadModel(source).then(
    () => assert.unreachable("it was loaded"),
    (reason: unknown) => reason,
  );
  assert.instance(error, FormatError, String(error));
  return (error as FormatError).message;
}

async function logitsOf(source: ModelSource): Promise<Float32Array> {
  const model = await loadModel(source, { weights: "f32" });
  const logits = model.createSession().prefill(tokens);
  model.dispose();
  return logits;
}

const zeros = (...shape: number[]) => {
  return floats(shape, new Float32Array(shape.reduce((product, length) => product * length, 1)));
};
const keys = (changes: NonNullable<GgufChanges["keys"]>): GgufChanges => ({
  keys: Object.fromEntries(Object.entries(changes).map(([name, value]) => [`llama.${name}`, value])),
});
const tensor = (name: string, raw: RawTensor | undefined): GgufChanges => ({ tensors: { [name]: raw } });

const refused: [string, GgufChanges, RegExp][] = [
  ["experts", keys({ expert_count: u32(8), expert_used_count: u32(2) }), /is of a mixture of experts \(8 experts\)/],
  ["attention that sees what follows", keys({ "attention.causal": bool(false) }), /attention\.causal = false/],
  [
    "a window of text",
    keys({ "attention.sliding_window": text("x") }),
    /llama\.attention\.sliding_window should be a positive/,
  ],
  ["a scale of logits", keys({ logit_scale: f32(0.5) }), /llama\.logit_scale = 0\.5 is not supported/],
  ["a scale of residuals", keys({ residual_scale: f32(2) }), /residual_scale = 2/],
  ["a scale of embeddings", keys({ embedding_scale: f32(12) }), /embedding_scale = 12/],
  ["a scale of attention", keys({ "attention.scale": f32(0.5) }), /attention\.scale = 0\.5/],
  ["clamped queries", keys({ "attention.clamp_kqv": f32(8) }), /attention\.clamp_kqv = 8/],
  ["capped logits", keys({ final_logit_softcapping: f32(30) }), /final_logit_softcapping = 30/],
  ["parallel residuals", keys({ use_parallel_residual: bool(true) }), /use_parallel_residual = true/],
  ["layers that predict further", keys({ nextn_predict_layers: u32(1) }), /nextn_predict_layers = 1/],
  ["another activation", keys({ hidden_activation: text("gelu") }), /hidden_activation = "gelu"/],
  ["a key that nobody knows", keys({ foo: u32(3) }), /has a key llama\.foo \(3\), which is not known/],
  ["a key of the prototype", keys({ constructor: u32(3) }), /has a key llama\.constructor/],
  ["half a head that turns", keys({ "rope.dimension_count": u32(8) }), /rope\.dimension_count = 8 is not supported/],
  [
    "values of another length",
    keys({ "attention.key_length": u32(16), "attention.value_length": u32(8) }),
    /attention\.value_length = 8/,
  ],
  ["LongRoPE", keys({ "rope.scaling.type": text("longrope") }), /the tensor rope_factors_long\.weight is missing/],
  ["a RoPE of no name", keys({ "rope.scaling.type": u32(3) }), /rope\.scaling\.type = 3 is not supported/],
  [
    "a factor below zero",
    keys({ "rope.scaling.factor": f32(-2) }),
    /rope\.scaling\.factor should be a positive number/,
  ],
  [
    "positions of text",
    keys({ "rope.scaling.original_context_length": text("x") }),
    /original_context_length should be/,
  ],
  ["heads of an odd size", keys({ "attention.key_length": u32(15) }), /a head size of 15 is not supported/],
  ["heads that do not share", keys({ "attention.head_count_kv": u32(3) }), /2 query heads do not share 3 KV heads/],
  [
    "layers of several widths",
    keys({ feed_forward_length: array(4, [u32(64), u32(32)]) }),
    /feed_forward_length differs between layers, which is not supported: \[64, 32\]/,
  ],
  ["a width for every third layer", keys({ feed_forward_length: array(4, [u32(64)]) }), /has 1 values for 2 layers/],
  ["two thousand million layers", keys({ block_count: u32(2 ** 31 - 1) }), /blk\.2\.attn_norm\.weight is missing/],
  [
    "fewer layers than there are",
    keys({ block_count: u32(1) }),
    /has a tensor blk\.1\.attn_norm\.weight, which is not/,
  ],
  ["a wider model than there is", keys({ embedding_length: u32(2 ** 31) }), /should have the shape/],
  [
    "another architecture",
    { keys: { "general.architecture": text("mamba") } },
    /architecture "mamba" is not supported \(gemma2, .*llama, .*smollm3 are\)/,
  ],
  ["no architecture", { keys: { "general.architecture": undefined } }, /architecture undefined is not supported/],
  ["more tokens than rows", tensor("token_embd.weight", zeros(259, 32)), /has 260 tokens for the 259 rows/],
  ["a bias of the output", tensor("output.bias", zeros(260)), /has a tensor output\.bias, which is not known/],
  ["a bias of a norm", tensor("blk.1.attn_norm.bias", zeros(32)), /has a tensor blk\.1\.attn_norm\.bias/],
  ["a norm of queries", tensor("blk.0.attn_q_norm.weight", zeros(16)), /has a tensor blk\.0\.attn_q_norm\.weight/],
  ["a scale of weights", tensor("blk.0.attn_q.scale", zeros(1)), /has a tensor blk\.0\.attn_q\.scale/],
  ["any other tensor", tensor("extra", zeros(3, 3)), /has a tensor extra, which is not known for this model/],
  ["a bias of another length", tensor("blk.0.attn_q.bias", zeros(16)), /attn_q\.bias should have the shape \[32\]/],
  ["a missing tensor", tensor("blk.1.ffn_up.weight", undefined), /the tensor blk\.1\.ffn_up\.weight is missing$/],
  [
    "queries, keys and values in one",
    {
      tensors: {
        "blk.0.attn_q.weight": undefined,
        "blk.0.attn_k.weight": undefined,
        "blk.0.attn_v.weight": undefined,
        "blk.0.attn_qkv.weight": zeros(60, 32),
      },
    },
    /blk\.0\.attn_qkv\.weight should have 64 rows and has 60/,
  ],
  [
    "a weight of a type that is not read",
    tensor("blk.0.ffn_gate.weight", { shape: [64, 32], type: 9, bytes: new Uint8Array(64 * 36) }),
    /blk\.0\.ffn_gate\.weight is of type Q8_1, which is not supported/,
  ],
  ["too few factors of RoPE", tensor("rope_freqs.weight", zeros(7)), /rope_freqs\.weight should have the shape \[8\]/],
  [
    "factors of RoPE of 0",
    tensor("rope_freqs.weight", zeros(8)),
    /constants of RoPE give frequencies that are not finite/,
  ],
];

for (const [name, changes, message] of refused) {
  test(`GGUF: ${name}`, async () => {
    assert.match(await faultOf(tinyGguf(tiny, changes)), message);
  });
}

const harmless: [string, GgufChanges][] = [
  [
    "keys at values that do nothing",
    keys({ logit_scale: f32(1), "attention.clamp_kqv": f32(0), expert_count: u32(0) }),
  ],
  ["a window beyond all positions", keys({ "attention.sliding_window": u32(512), vocab_size: u32(7) })],
  ["the scale that attention has", keys({ "attention.scale": f32(0.25), "attention.causal": bool(true) })],
  ["frequencies that a buffer repeats, in F64", tensor("rotary_emb.inv_freq", { ...zeros(16), shape: [8], type: 28 })],
  ["how it was made", keys({ tensor_data_layout: text("Meta AI original pth"), "rope.scaling.finetuned": bool(true) })],
];

for (const [name, changes] of harmless) {
  test(`GGUF: ${name}`, async () => {
    assertSame(await logitsOf(tinyGguf(tiny, changes)), await logitsOf(tinyGguf(tiny)));
  });
}

test("GGUF: a weight in F64", async () => {
  const { values } = tiny.tensors.get("model.layers.0.mlp.up_proj.weight")!;
  const bytes = new Uint8Array(Float64Array.from(values).buffer);
  const file = tinyGguf(tiny, tensor("blk.0.ffn_up.weight", { shape: [64, 32], type: 28, bytes }));
  assertSame(await logitsOf(file), await logitsOf(tinyGguf(tiny)));
});

const tinyZeros = (...shape: number[]): TinyTensor => {
  return { shape, values: new Float32Array(shape.reduce((product, length) => product * length, 1)) };
};

const refusedFolders: [string, Record<string, unknown>, RegExp, Record<string, TinyTensor | undefined>?][] = [
  [
    "Mixtral",
    { model_type: "mixtral", num_local_experts: 8 },
    /is of a mixture of experts \(8 experts\), which is not/,
  ],
  ["experts under another name", { num_experts: 4 }, /is of a mixture of experts \(4 experts\)/],
  ["a family of experts", { model_type: "qwen2_moe" }, /is of a mixture of experts \("qwen2_moe"\)/],
  ["another family", { model_type: "gpt2" }, /model_type "gpt2" is not supported \(gemma2, .*llama, .*smollm3 are\)/],
  [
    "packed weights",
    { quantization_config: { quant_method: "gptq" } },
    /quantization_config = \{quant_method: "gptq"\}/,
  ],
  ["another activation", { hidden_act: "gelu" }, /hidden_act "gelu" is not supported/],
  ["part of a head that turns", { partial_rotary_factor: 0.5 }, /partial_rotary_factor = 0\.5/],
  ["the same among RoPE's values", { rope_parameters: { partial_rotary_factor: 0.5 } }, /partial_rotary_factor = 0\.5/],
  ["a sliding window", { sliding_window: 64 }, /sliding_window = 64/],
  ["windows in some layers", { layer_types: ["sliding_attention", "full_attention"] }, /layer_types = /],
  ["a scale of logits", { logits_scaling: 8 }, /logits_scaling = 8/],
  ["capped logits", { final_logit_softcapping: 30 }, /final_logit_softcapping = 30/],
  ["clipped values", { clip_qkv: 8 }, /clip_qkv = 8/],
  ["attention both ways", { is_causal: false }, /is_causal = false/],
  ["RoPE of no name", { rope_scaling: { type: "xpos", factor: 2 } }, /rope type "xpos" is not supported/],
  ["RoPE of text", { rope_scaling: "linear" }, /rope_parameters should be an object and is "linear"/],
  ["a flag of text", { tie_word_embeddings: "yes" }, /tie_word_embeddings should be true or false and is "yes"/],
  ["a size of text", { hidden_size: "32" }, /hidden_size should be a positive number and is "32"/],
  [
    "biases that are not there",
    { attention_bias: true },
    /the tensor model\.layers\.0\.self_attn\.q_proj\.bias is missing/,
  ],
  [
    "biases of which it does not speak",
    {},
    /has a tensor model\.layers\.1\.mlp\.up_proj\.bias, which is not known/,
    { "model.layers.1.mlp.up_proj.bias": tinyZeros(64) },
  ],
  ["a head of a classifier", {}, /has a tensor score\.weight/, { "score.weight": tinyZeros(2, 32) }],
  ["no output layer", {}, /the tensor lm_head\.weight is missing/, { "lm_head.weight": undefined }],
];

for (const [name, config, message, tensors] of refusedFolders) {
  test(`folder: ${name}`, async () => {
    assert.match(await faultOf(tinyFolder(tiny, config, tensors)), message);
  });
}

test("folder: values that do nothing, and leftovers of other saves", async () => {
  const plain = await logitsOf(tinyFolder(tiny));
  const config = {
    pretraining_tp: 2,
    sliding_window: null,
    use_cache: false,
    hidden_act: "swish",
    attention_bias: null,
  };
  assertSame(await logitsOf(tinyFolder(tiny, { ...config, num_local_experts: 0, quantization_config: null })), plain);
  const leftovers = {
    "model.layers.0.self_attn.rotary_emb.inv_freq": tinyZeros(8),
    "model.rotary_emb.inv_freq": tinyZeros(8),
    "model.embeddings.position_ids": tinyZeros(1, 8),
    "model.layers.1.self_attn.masked_bias": tinyZeros(),
    "model.layers.1.self_attn.bias": tinyZeros(1, 1, 8, 8),
  };
  assertSame(await logitsOf(tinyFolder(tiny, {}, leftovers)), plain);
});

test("folder: buffers of whole numbers and doubles, where they are known", async () => {
  const folder = tinyFolder(tiny);
  for (const [name, dtype, bytes] of [
    ["model.embeddings.position_ids", "I64", 8],
    ["model.rotary_emb.inv_freq", "F64", 8],
    ["model.layers.0.self_attn.bias", "BOOL", 1],
    ["causal_table", "I32", 4],
    ["model.layers.0.mlp.up_proj.weight_scale", "F8_E4M3", 1],
  ] as const) {
    const shape = name.endsWith(".bias") ? [1, 1, 1, 1] : [1];
    const file = {
      ...folder,
      "model.safetensors": withTensor(folder["model.safetensors"]!, name, dtype, shape, bytes),
    };
    if (/^(causal_table|.*weight_scale)$/.test(name))
      assert.match(await faultOf(file), new RegExp(`has a tensor ${name}`));
    else assertSame(await logitsOf(file), await logitsOf(folder), name);
  }
});

test("folder: a weight in float8 is refused by its name", async () => {
  const without = tinyFolder(tiny, {}, { "model.norm.weight": undefined });
  const bytes = withTensor(without["model.safetensors"]!, "model.norm.weight", "F8_E4M3", [32], 32);
  assert.match(await faultOf({ ...without, "model.safetensors": bytes }), /model\.norm\.weight is of type F8_E4M3/);
});

/** The file with a tensor of zeros more at its end. */
function withTensor(file: Uint8Array, name: string, dtype: string, shape: number[], byteLength: number): Uint8Array {
  const length = new DataView(file.buffer, file.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const data = file.subarray(8 + length);
  header[name] = { dtype, shape, data_offsets: [data.length, data.length + byteLength] };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const result = new Uint8Array(8 + json.length + data.length + byteLength);
  new DataView(result.buffer).setUint32(0, json.length, true);
  result.set(json, 8);
  result.set(data, 8 + json.length);
  return result;
}

test("folder: embedding and output layer that are one", async () => {
  const tied = { tie_word_embeddings: true };
  const embedding = tiny.tensors.get("model.embed_tokens.weight")!;
  const once = await logitsOf(tinyFolder(tiny, tied, { "lm_head.weight": undefined }));
  // A copy is as good as none, under either name.
  assertSame(await logitsOf(tinyFolder(tiny, tied, { "lm_head.weight": embedding })), once);
  const renamed = { "model.embed_tokens.weight": undefined, "lm_head.weight": embedding };
  assertSame(await logitsOf(tinyFolder(tiny, tied, renamed)), once);
  const copy = await loadModel(tinyFolder(tiny, tied, { "lm_head.weight": embedding }));
  const single = await loadModel(tinyFolder(tiny, tied, { "lm_head.weight": undefined }));
  assert.is(copy.memory.weightBytes, single.memory.weightBytes);
  assert.is(copy.fingerprint, single.fingerprint);
  assert.ok(copy.config.tiedEmbeddings);
  // Transformers uses one that differs, whatever the configuration says.
  assertSame(await logitsOf(tinyFolder(tiny, tied)), await logitsOf(tinyFolder(tiny)));
  assertNear(await logitsOf(tinyFolder(tiny)), await logitsOf(tinyGguf(tiny)), () => 0);
});

test.run();
