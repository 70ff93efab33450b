/** What identifies a model: a hash of its configuration, its prompt's frame and a sample of every weight tensor. */
import type { Core } from "../core/core.ts";
import { Hash } from "../core/hash.ts";
import type { PromptFrame } from "../tokenizer/prompt-frame.ts";
import type { ModelConfig } from "./config.ts";
import { layerRoles, wholeRoles } from "./tensors.ts";
import { type Matrix, type ModelWeights, matrixBytes, type Vector } from "./weights.ts";

/** Of each matrix so many stretches, evenly spread, of so many bytes: training changes every weight, so a sample tells. */
const STRETCHES = 32;
const STRETCH_BYTES = 128;

/**
 * @param prompt undefined for a model without a tokenizer
 * @returns 16 hexadecimal digits; models whose weights are held in different forms differ, as do their bits
 */
export function modelFingerprint(
  core: Core,
  config: ModelConfig,
  prompt: PromptFrame | undefined,
  weights: ModelWeights,
): string {
  const hash = new Hash();
  const text = JSON.stringify([sorted(config), [...(prompt?.head ?? [])], [...(prompt?.tail ?? [])]]);
  hash.update(new TextEncoder().encode(text));
  const add = (held: Matrix | Vector | undefined) => {
    if (!held) return;
    if (!("form" in held)) {
      hash.update(core.bytes(held.pointer, held.length * 4));
      return;
    }
    const byteLength = matrixBytes(held, held.rows);
    const last = Math.max(0, byteLength - STRETCH_BYTES);
    for (let index = 0; index < STRETCHES; index++) {
      const offset = Math.floor((last * index) / (STRETCHES - 1) / 4) * 4;
      hash.update(core.bytes(held.pointer + offset, Math.min(STRETCH_BYTES, byteLength)));
    }
  };
  for (const role of wholeRoles) add(weights[role]);
  for (const layer of weights.layers) for (const role of layerRoles) add(layer[role]);
  return hash.hex();
}

/** The same value with its keys in order, so that equal configurations give equal text. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
