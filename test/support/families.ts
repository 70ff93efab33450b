/** The tiny models of other architectures that lie in the shared folder, ready to load. */
import { readFileSync } from "node:fs";
import type { ModelSource } from "../../src/node.ts";
import { sharedPath } from "./shared.ts";

/** A model's files. @returns undefined, after printing one line, when they are not there */
export function familySource(name: string): ModelSource | undefined {
  const config = sharedPath(`fixtures/families/${name}/config.json`);
  if (config === undefined) return undefined;
  return {
    "config.json": new Uint8Array(readFileSync(config)),
    "model.safetensors": new Uint8Array(readFileSync(config.replace("config.json", "model.safetensors"))),
    "tokenizer.json": byteTokenizer(),
  };
}

/** A tokenizer.json of 256 single letters: these models are fed tokens only. */
function byteTokenizer(): Uint8Array<ArrayBuffer> {
  const vocab = Object.fromEntries(Array.from({ length: 256 }, (_, id) => [String.fromCodePoint(0x100 + id), id]));
  const json = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab, merges: [] },
  };
  return new TextEncoder().encode(JSON.stringify(json));
}
