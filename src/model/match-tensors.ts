/** Finds a model's tensors in its file: every one that the file has is used, known to be of no use, or refused by name. */

import { FormatError } from "../errors.ts";
import type { ReadableEntry, TensorEntry, TensorFile } from "../formats/tensor-file.ts";
import { isRead } from "../formats/tensor-types.ts";
import type { ModelConfig } from "./config.ts";
import { families } from "./families/index.ts";
import { type Layout, normCorrection } from "./layout.ts";
import type { PackJob } from "./pack-tensors.ts";
import { type ExpectedTensor, expectedTensors, fusedTensors, isKnown, type Naming } from "./tensors.ts";

/** What some files hold beside their weights and no decoder needs. */
const leftovers: readonly RegExp[] = [
  // Inverse frequencies, which follow from the configuration: transformers saved them with Llama up to 4.31.
  /(^|\.)rotary_emb\.inv_freq$/,
  // The numbers 0, 1, 2, ...
  /(^|\.)position_ids$/,
  // The causal mask, and what it writes over scores.
  /\.(attn|attention|self_attn)\.masked_bias$/,
];
/** Causal masks have the name of a bias, but four axes. */
const mask = /\.(attn|attention|self_attn)\.bias$/;

/**
 * What is to be packed, in the order of the file.
 * @param file its name, for messages
 * @throws FormatError naming the tensor that is missing, has another shape or type than it should, or is not known
 */
export function matchTensors(
  { tensors }: TensorFile,
  config: ModelConfig,
  layout: Layout,
  naming: Naming,
  file: string,
): PackJob[] {
  const entries = new Map(tensors.map((entry) => [entry.name, entry]));
  useTiedCopy(entries, config, naming);
  const parts = splitFused(entries, config, layout, naming, file);
  const expected = new Map<TensorEntry, ExpectedTensor>();
  for (const tensor of expectedTensors(config, layout, naming)) {
    const entry = entries.get(tensor.name);
    if (entry) expected.set(entry, tensor);
    else if (tensor.required) throw missing(tensor.name, tensors, naming, file);
  }
  const jobs: PackJob[] = [];
  for (const entry of tensors.flatMap((entry) => parts.get(entry) ?? [entry])) {
    const tensor = expected.get(entry);
    if (tensor) jobs.push(jobOf(tensor, checked(entry, tensor, file), config, naming));
    else if (!isLeftover(entry)) {
      throw new FormatError(file, `has a tensor ${entry.name}, which is not known for this model`, entry.byteOffset);
    }
  }
  return jobs;
}

/** Where one table is both embedding and output layer, some files have it under the output's name only. */
function useTiedCopy(entries: Map<string, TensorEntry>, config: ModelConfig, naming: Naming): void {
  if (naming !== "huggingFace" || !config.tiedEmbeddings || entries.has("model.embed_tokens.weight")) return;
  const output = entries.get("lm_head.weight");
  if (!output) return;
  entries.set("model.embed_tokens.weight", output);
  entries.delete("lm_head.weight");
}

/**
 * Puts the parts of tensors that hold several in their places among the entries.
 * @returns for each such tensor what it is split into
 * @throws FormatError for one whose rows are not those of its parts
 */
function splitFused(
  entries: Map<string, TensorEntry>,
  config: ModelConfig,
  layout: Layout,
  naming: Naming,
  file: string,
): Map<TensorEntry, readonly TensorEntry[]> {
  const split = new Map<TensorEntry, readonly TensorEntry[]>();
  for (let layer = 0; layer < config.layers; layer++) {
    let found = false;
    for (const { name, parts } of fusedTensors(layer, layout, naming)) {
      const entry = entries.get(name);
      found ||= entry !== undefined;
      if (!entry || parts.some((part) => part.name !== name && entries.has(part.name))) continue;
      const [rows = 0, ...rest] = entry.shape;
      const wanted = parts.reduce((sum, part) => sum + part.rows, 0);
      if (rows !== wanted && parts.some((part) => part.name === name)) continue;
      if (rows !== wanted) {
        throw new FormatError(file, `${name} should have ${wanted} rows and has ${rows}`, entry.byteOffset);
      }
      entries.delete(name);
      let first = 0;
      const cut = parts.map((part): TensorEntry => {
        const byteOffset = entry.byteOffset + (entry.byteLength / rows) * first;
        first += part.rows;
        const byteLength = (entry.byteLength / rows) * part.rows;
        return { ...entry, name: part.name, shape: [part.rows, ...rest], byteOffset, byteLength };
      });
      for (const part of cut) entries.set(part.name, part);
      split.set(entry, cut);
    }
    // Layers may be claimed by the million.
    if (!found) break;
  }
  return split;
}

function missing(name: string, tensors: readonly TensorEntry[], naming: Naming, file: string): FormatError {
  const unknown = tensors.find((entry) => !isKnown(entry.name, naming) && !isLeftover(entry));
  return new FormatError(file, `the tensor ${name} is missing${unknown ? ` (there is ${unknown.name})` : ""}`);
}

function isLeftover({ name, shape }: TensorEntry): boolean {
  return leftovers.some((pattern) => pattern.test(name)) || (shape.length === 4 && mask.test(name));
}

function checked(entry: TensorEntry, { shape }: ExpectedTensor, file: string): ReadableEntry {
  const { name, type, byteOffset } = entry;
  if (essential(entry.shape) !== essential(shape)) {
    throw new FormatError(file, `${name} should have the shape [${shape}] and has [${entry.shape}]`, byteOffset);
  }
  if (!isRead(type)) throw new FormatError(file, `${name} is of type ${type}, which is not supported`, byteOffset);
  return { ...entry, type };
}

/** A shape as text, without outermost axes of one entry: in ggml all tensors have four axes, and files leave some out. */
function essential(shape: readonly number[]): string {
  return shape.join().replace(/^(1,)+/, "");
}

function jobOf(tensor: ExpectedTensor, entry: ReadableEntry, config: ModelConfig, naming: Naming): PackJob {
  const { place, axes, interleaved, norm } = tensor;
  const family = families.find(({ name }) => name === config.architecture);
  const offset = norm && naming === "huggingFace" ? (family?.normOffset ?? 0) : 0;
  const whole = place.role === "outputNorm" ? config.logitScale : 1;
  const factor = norm ? normCorrection(axes[0]!).weight * whole : 1;
  return { place, entry, rows: axes[0]!, columns: axes[1], interleaved, offset, factor };
}
