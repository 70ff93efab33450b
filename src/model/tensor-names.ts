/** GGUF's names of a Llama model's tensors, brought to Hugging Face's, which are used everywhere else. */

const whole: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

const inLayer: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** The name as Hugging Face has it; names that are not known stay as they are. */
export function canonicalName(name: string): string {
  const match = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name);
  const part = match ? inLayer[match[2]!] : undefined;
  return part ? `model.layers.${match![1]}.${part}.weight` : (whole[name] ?? name);
}

/** Whether llama.cpp keeps this tensor's rows with the pairs of each head interleaved. */
export function hasInterleavedRows(canonical: string): boolean {
  return canonical.endsWith(".q_proj.weight") || canonical.endsWith(".k_proj.weight");
}
