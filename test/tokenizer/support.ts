/** The tokenizers and recorded cases that several tests use. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { openGguf } from "../../src/formats/gguf.ts";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { bytesSource } from "../../src/formats/source.ts";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { llamaKeys } from "../../tools/llama-gguf.ts";
import { makeGguf } from "../support/files.ts";

export interface Fixture {
  strings: {
    name: string;
    text: string;
    ids: number[];
    ids_plain?: number[];
    decoded: string;
    decoded_without_special?: string;
  }[];
  decode: { ids: number[]; decoded: string }[];
  chat: {
    messages: { role: string; content: string }[];
    rendered: string;
    rendered_ids: number[];
    rendered_with_generation_prompt: string;
    rendered_with_generation_prompt_ids: number[];
  }[];
}

export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, "utf8")) as T;
}

/** A recording that is packed. */
export const readPacked = <T>(name: string): T =>
  JSON.parse(gunzipSync(readFileSync(`test/fixtures/tokenizer/${name}.json.gz`)).toString()) as T;

export const fixture = (name: string): Fixture => readJson(`test/fixtures/tokenizer/${name}.json`);

export function nano(): Tokenizer {
  const part = (name: string) => readJson<Record<string, unknown>>(`models/nano/${name}.json`);
  return Tokenizer.fromJson(
    part("tokenizer"),
    {
      config: part("config"),
      generationConfig: part("generation_config"),
      tokenizerConfig: part("tokenizer_config"),
    },
    "tokenizer.json",
  );
}

/** Nano's tokenizer as a GGUF file holds it. */
export async function nanoFromGguf(): Promise<Tokenizer> {
  const { metadata } = await openGguf(bytesSource("nano.gguf", makeGguf({ keys: llamaKeys("models/nano") })));
  return Tokenizer.fromGguf((key) => metadata.get(key), "nano.gguf");
}

/** SmolLM2's tokenizer as its GGUF file holds it; every token but the first ones is what a merge makes. */
export function smollm2(): Tokenizer {
  const file = readSafetensors(readFileSync("test/fixtures/tokenizer/smollm2-vocabulary.safetensors"));
  const values = JSON.parse(file.metadata.get("keys")!);
  const tokens: string[] = values["tokenizer.ggml.tokens"];
  const types: number[] = values["tokenizer.ggml.token_type"];
  const pairs = new Uint16Array(file.u8("merges").buffer);
  const merges: string[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    const [left, right] = [tokens[pairs[index]!]!, tokens[pairs[index + 1]!]!];
    merges.push(`${left} ${right}`);
    tokens.push(left + right);
    types.push(1);
  }
  values["tokenizer.ggml.merges"] = merges;
  return Tokenizer.fromGguf((key) => values[key], "smollm2.gguf");
}

/** A text's tokens when it comes in pieces of `next()` units, some of them asked for as soon as they are certain. */
export function inPieces(tokenizer: Tokenizer, text: string, next: () => number, special = false): number[] {
  let encoder = tokenizer.encoder();
  const tokens: number[] = [];
  for (let start = 0, count = 0; start < text.length; count++) {
    const end = start + next();
    tokens.push(...encoder.push(text.slice(start, end), { special }));
    start = end;
    if (count % 3 === 1) tokens.push(...encoder.settle());
    if (count % 5 !== 4) continue;
    // Another encoder goes on from what this one holds.
    const copy = tokenizer.encoder();
    copy.state = JSON.parse(JSON.stringify(encoder.state));
    encoder = copy;
  }
  tokens.push(...encoder.end());
  return tokens;
}
