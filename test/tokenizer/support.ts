/** The tokenizers and recorded cases that several tests use. */
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { gguf } from "@huggingface/gguf";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { sharedPath } from "../support/shared.ts";

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

/** The tokenizer of a GGUF in the shared folder. */
export async function fromSharedGguf(relative: string): Promise<Tokenizer | undefined> {
  const path = sharedPath(relative);
  if (!path) return undefined;
  const file = await open(path);
  const { size } = await file.stat();
  const read = async (_: unknown, options?: RequestInit) => {
    const range = new Headers(options?.headers).get("range");
    const [first, last] = /(\d+)-(\d+)/.exec(range!)!.slice(1).map(Number);
    const bytes = new Uint8Array(Math.min(last! + 1, size) - first!);
    await file.read(bytes, 0, bytes.length, first!);
    return new Response(bytes, { status: 206, headers: { "content-range": `bytes ${first}-${last}/${size}` } });
  };
  const { metadata } = await gguf("https://blob.invalid/model.gguf", { fetch: read as typeof fetch });
  await file.close();
  const values = metadata as unknown as Record<string, unknown>;
  return Tokenizer.fromGguf((key) => values[key], "model.gguf");
}

export const smollm2 = () => fromSharedGguf("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");

/** Whole numbers from 0 to below `limit`, the same for the same seed (mulberry32). */
export function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}
