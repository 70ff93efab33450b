/** A model of drawn weights, small enough for thousands of passes, as a record of files. */
import { writeSafetensors } from "../../src/formats/safetensors-write.ts";
import { seededRandom } from "./random.ts";

/** Sizes of the model: two layers, four query heads over two KV heads of 32, a window of 256 tokens, 270 tokens. */
const drawnConfig = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 32,
  intermediate_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  vocab_size: 264,
  tie_word_embeddings: true,
  hidden_act: "silu",
};

const special = ["<|begin|>", "<|end|>", "<|user|>", "<|model|>"];
const merges = ["t h", "th e", "a n", "i n"];
const template =
  "<|begin|>{% for message in messages %}<|user|>{{ message['content'] }}{% endfor %}{% if add_generation_prompt %}<|model|>{% endif %}";

/** The files of the model; equal seeds give equal weights. */
export function drawnModel(seed = 1): Record<string, Uint8Array<ArrayBuffer>> {
  const next = seededRandom(seed);
  const { hidden_size: width, intermediate_size: inner, head_dim: head } = drawnConfig;
  const shapes: Record<string, number[]> = { "model.embed_tokens.weight": [drawnConfig.vocab_size, width] };
  for (let layer = 0; layer < drawnConfig.num_hidden_layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    shapes[`${prefix}input_layernorm.weight`] = [width];
    shapes[`${prefix}self_attn.q_proj.weight`] = [drawnConfig.num_attention_heads * head, width];
    shapes[`${prefix}self_attn.k_proj.weight`] = [drawnConfig.num_key_value_heads * head, width];
    shapes[`${prefix}self_attn.v_proj.weight`] = [drawnConfig.num_key_value_heads * head, width];
    shapes[`${prefix}self_attn.o_proj.weight`] = [width, drawnConfig.num_attention_heads * head];
    shapes[`${prefix}post_attention_layernorm.weight`] = [width];
    shapes[`${prefix}mlp.gate_proj.weight`] = [inner, width];
    shapes[`${prefix}mlp.up_proj.weight`] = [inner, width];
    shapes[`${prefix}mlp.down_proj.weight`] = [width, inner];
  }
  shapes["model.norm.weight"] = [width];
  const tensors = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const value = () => (shape.length === 1 ? 1 + 0.2 * (next() - 0.5) : (next() - 0.5) * 0.6);
      return [name, { dtype: "F32" as const, shape, data: Float32Array.from({ length }, value) }];
    }),
  );
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return {
    "config.json": json(drawnConfig),
    "tokenizer.json": json(tokenizer()),
    "tokenizer_config.json": json({ bos_token: "<|begin|>", eos_token: "<|end|>", chat_template: template }),
    "model.safetensors": writeSafetensors(tensors),
  };
}

/** The 256 bytes as GPT-2 spells them, four merges and four special tokens. */
function tokenizer() {
  const printable = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  let other = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : other++));
  const words = [...bytes, ...merges.map((merge) => merge.replace(" ", ""))];
  return {
    added_tokens: special.map((content, index) => ({ id: words.length + index, content, special: true })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: Object.fromEntries(words.map((word, id) => [word, id])), merges },
  };
}
