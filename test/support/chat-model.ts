/** A small model of drawn weights whose template tells system, user and assistant apart. */
import { drawnModel } from "./drawn-model.ts";

const template =
  "<|begin|>{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}<|user|>{{ m.content }}" +
  "{% else %}<|model|>{{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|model|>{% endif %}";

/** The files of the model; equal seeds give equal weights. */
export function chatModel(seed = 5, chatTemplate = template): Record<string, Uint8Array<ArrayBuffer>> {
  const config = { bos_token: "<|begin|>", eos_token: "<|end|>", chat_template: chatTemplate };
  return { ...drawnModel(seed), "tokenizer_config.json": new TextEncoder().encode(JSON.stringify(config)) };
}
