/** Tiny models of twelve architectures with random weights, and what transformers makes of them. */
import { readdirSync, readFileSync } from "node:fs";
import { readSafetensors, type SafetensorsArrays } from "../../src/formats/safetensors-arrays.ts";
import type { ModelSource } from "../../src/runtimes/node.ts";

const folder = "test/fixtures/families";

/** All there are. */
export const familyNames: readonly string[] = readdirSync(folder).sort();

/** A model's files, ready to load. */
export function familySource(name: string): ModelSource {
  const file = (part: string) => new Uint8Array(readFileSync(`${folder}/${name}/${part}`));
  return {
    "config.json": file("config.json"),
    "model.safetensors": file("model.safetensors"),
    "tokenizer.json": byteTokenizer(),
  };
}

/** Where the same model lies as a GGUF, if there is one: made by tools/families-gguf.py. */
export function familyGguf(name: string): string {
  return `${folder}/${name}/model.gguf`;
}

/** What is recorded of a model; of some also, under `rerotated.`, what kept keys become in other places. */
export function familyRecords(name: string): SafetensorsArrays {
  return readSafetensors(readFileSync(`${folder}/${name}/expected.safetensors`));
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
