/** Capsules: a session's cache as a safetensors file that names its model and carries a checksum over everything. */
import type { KeyValueCache, Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { PAGE_ENTRIES } from "../cache/page-form.ts";
import { Hash } from "../core/hash.ts";
import { FormatError } from "../errors.ts";
import { readSafetensors, type SafetensorsArrays } from "../formats/safetensors-arrays.ts";
import { type TensorData, writeSafetensors } from "../formats/safetensors-write.ts";
import { show } from "../show.ts";
import type { DocumentEnd } from "../tokenizer/prompt-frame.ts";
import { LAST_POSITION } from "./passes.ts";

const FILE = "capsule";
const FORMAT = "siskin-capsule";
const VERSION = 1;
/** The checksum is the file's end: the hash of every byte before it. */
const CHECKSUM_BYTES = 8;

/** What a capsule says of a session. */
export interface CapsuleState {
  readonly scheme: Scheme;
  readonly form: CacheForm;
  /** Positions that the session may use. */
  readonly contextSize: number;
  readonly absolutePosition: number;
  /** The longest text that the cache was made ready for. */
  readonly textLength: number;
  /** For layer l and KV head h at l · kvHeads + h. */
  readonly heads: readonly CapsuleHead[];
  /** [hiddenWidth], the last layer's output of the last token, where it is known. */
  readonly hiddenState: Float32Array | undefined;
  /** How the document ended that was read last, where that is known. */
  readonly documentEnd: DocumentEnd | undefined;
}

/** The entries of one KV head. */
export interface CapsuleHead {
  /** [entries], ascending */
  readonly positions: Int32Array;
  /** Entries before them that a window has left behind. */
  readonly dropped: number;
  /** [pages, pageBytes], as the cache's form lays them out */
  readonly pages: Uint8Array;
}

/** The sizes that a capsule must have. */
export interface CapsuleSizes {
  readonly layers: number;
  readonly kvHeads: number;
  /** Numbers in a hidden state as it is held. */
  readonly hiddenWidth: number;
  /** The model's window, and the one that was asked for on purpose. */
  readonly contextSize: number;
  readonly lifted: number | undefined;
  /** Bytes of a page in a form. */
  readonly pageBytes: (form: CacheForm) => number;
  /** A document's end as JSON gave it. @throws FormatError for what cannot be one */
  readonly documentEnd: (value: unknown) => DocumentEnd;
}

/** What a capsule is made of. */
export interface CapsuleContent {
  readonly cache: KeyValueCache;
  readonly contextSize: number;
  /** The model's fingerprint. */
  readonly model: string;
  readonly hiddenState: Float32Array | undefined;
  readonly documentEnd: DocumentEnd | undefined;
}

/**
 * Metadata: format, version, model, scheme, window, absolutePosition, `form`, how pages hold their entries, and
 * `documentEnd`, what a question goes on from, as JSON, and `textLength`, where the frequencies may depend on it.
 * Tensors: `lists` [layers, kvHeads], which list of positions a head has, equal lists being stored once;
 * `dropped` [layers, kvHeads], where a window has left entries behind; `positions.N` [entries]; `pages.L.H` [pages, page bytes]; `hidden` [hiddenWidth], where the last token's is known;
 * `checksum` [8], the last bytes of the file.
 */
export function writeCapsule(content: CapsuleContent): Uint8Array<ArrayBuffer> {
  const { cache, contextSize, model, hiddenState, documentEnd } = content;
  const { layers, kvHeads, pageBytes } = cache;
  const tensors: Record<string, TensorData> = {};
  const lists = new Int32Array(layers * kvHeads);
  const left = new Int32Array(layers * kvHeads);
  const known = new Map<string, number>();
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) {
      const { positions, dropped } = cache.savedHead(layer, head);
      left[layer * kvHeads + head] = dropped;
      const content = positions.join();
      const list = known.get(content) ?? known.size;
      if (!known.has(content))
        tensors[`positions.${list}`] = { dtype: "I32", shape: [positions.length], data: positions };
      known.set(content, list);
      lists[layer * kvHeads + head] = list;
      const pages = cache.savePages(layer, head);
      tensors[`pages.${layer}.${head}`] = { dtype: "U8", shape: [pages.length / pageBytes, pageBytes], data: pages };
    }
  }
  if (left.some((dropped) => dropped > 0)) tensors.dropped = { dtype: "I32", shape: [layers, kvHeads], data: left };
  if (hiddenState) tensors.hidden = { dtype: "F32", shape: [hiddenState.length], data: hiddenState };
  tensors.lists = { dtype: "I32", shape: [layers, kvHeads], data: lists };
  // Of the narrowest type and named last, it comes last.
  tensors.checksum = { dtype: "U8", shape: [CHECKSUM_BYTES], data: new Uint8Array(CHECKSUM_BYTES) };
  const file = writeSafetensors(tensors, {
    format: FORMAT,
    version: String(VERSION),
    model,
    form: cache.form,
    scheme: cache.scheme,
    contextSize: String(contextSize),
    absolutePosition: String(cache.absolutePosition),
    ...(cache.textLength !== cache.absolutePosition && { textLength: String(cache.textLength) }),
    ...(documentEnd && { documentEnd: JSON.stringify(documentEnd) }),
  });
  file.set(new Hash().update(file.subarray(0, -CHECKSUM_BYTES)).digest(), file.length - CHECKSUM_BYTES);
  return file;
}

/**
 * @param model the fingerprint that the capsule should carry
 * @throws FormatError for bytes that are no capsule, truncated, altered, of a newer version or of another model
 */
export function readCapsule(bytes: Uint8Array, model: string, sizes: CapsuleSizes): CapsuleState {
  const file = readSafetensors(bytes, FILE);
  const { metadata } = file;
  if (metadata.get("format") !== FORMAT) throw new FormatError(FILE, "is a safetensors file and not a capsule");
  const version = metadata.get("version");
  if (version !== String(VERSION)) {
    throw new FormatError(FILE, `is of version ${version}; this release reads version ${VERSION}`);
  }
  const end = bytes.length - CHECKSUM_BYTES;
  const checksum = new Hash().update(bytes.subarray(0, end)).digest();
  if (checksum.some((byte, index) => byte !== bytes[end + index])) {
    throw new FormatError(FILE, "has been altered: its checksum is not that of its content", end);
  }
  if (metadata.get("model") !== model) {
    throw new FormatError(FILE, `belongs to the model ${metadata.get("model")}, and this one is ${model}`);
  }
  const form = metadata.get("form");
  if (form !== "f32" && form !== "q8")
    throw new FormatError(FILE, `holds entries in the form ${form}, which is not supported`);
  const scheme = metadata.get("scheme");
  if (scheme !== "contiguous" && scheme !== "original") throw new FormatError(FILE, `has the unknown scheme ${scheme}`);
  const absolutePosition = Number(metadata.get("absolutePosition"));
  if (!Number.isInteger(absolutePosition) || absolutePosition < 0 || absolutePosition > LAST_POSITION) {
    throw new FormatError(FILE, `has the impossible absolute position ${show(metadata.get("absolutePosition"))}`);
  }
  const heads = readHeads(file, sizes, form, absolutePosition);
  const longest = heads.reduce((most, { positions }) => Math.max(most, positions.length), 0);
  const contextSize = readWindow(
    metadata.get("contextSize"),
    sizes,
    scheme === "original" ? absolutePosition : longest,
  );
  return {
    scheme,
    form,
    contextSize,
    absolutePosition,
    textLength: readTextLength(metadata.get("textLength"), absolutePosition),
    heads,
    hiddenState: readHiddenState(file, sizes),
    documentEnd: readDocumentEnd(metadata.get("documentEnd"), sizes),
  };
}

function readTextLength(text: string | undefined, absolutePosition: number): number {
  const length = text === undefined ? absolutePosition : Number(text);
  if (Number.isInteger(length) && length >= 0 && length <= LAST_POSITION) return length;
  throw new FormatError(FILE, `has the impossible length of text ${show(text)}`);
}

function readDocumentEnd(text: string | undefined, { documentEnd }: CapsuleSizes): DocumentEnd | undefined {
  if (text === undefined) return undefined;
  try {
    return documentEnd(JSON.parse(text));
  } catch {
    throw new FormatError(FILE, `has the impossible document's end ${show(text)}`);
  }
}

/** Memory grows with the positions used, so a capsule alone cannot lift the limit that the model sets. */
function readWindow(text: string | undefined, { contextSize, lifted }: CapsuleSizes, used: number): number {
  const given = Number(text);
  if (!(Number.isInteger(given) || given === Number.POSITIVE_INFINITY) || given < 1) {
    throw new FormatError(FILE, `has the impossible window ${show(text)}`);
  }
  if (given > contextSize && lifted === undefined) {
    throw new FormatError(
      FILE,
      `has a window of ${given} positions, and the model one of ${contextSize}: openSession(bytes, { contextSize }) lifts the limit`,
    );
  }
  const allowed = lifted ?? given;
  if (used > allowed) throw new FormatError(FILE, `uses ${used} positions, and the window has ${allowed}`);
  return allowed;
}

function readHiddenState(file: SafetensorsArrays, { hiddenWidth }: CapsuleSizes): Float32Array | undefined {
  if (!file.has("hidden")) return undefined;
  checkShape(file, "hidden", [hiddenWidth]);
  return file.f32("hidden");
}

/** The checksum finds accidents; these checks find files made wrongly on purpose. */
function readHeads(
  file: SafetensorsArrays,
  { layers, kvHeads, pageBytes }: CapsuleSizes,
  form: CacheForm,
  absolutePosition: number,
): CapsuleHead[] {
  checkShape(file, "lists", [layers, kvHeads]);
  const lists = new Map<number, Int32Array>();
  if (file.has("dropped")) checkShape(file, "dropped", [layers, kvHeads]);
  const left = file.has("dropped") ? file.i32("dropped") : new Int32Array(layers * kvHeads);
  return Array.from(file.i32("lists"), (list, index) => {
    const positions = lists.get(list) ?? readPositions(file, `positions.${list}`, absolutePosition);
    lists.set(list, positions);
    const name = `pages.${Math.floor(index / kvHeads)}.${index % kvHeads}`;
    checkShape(file, name, [Math.ceil(positions.length / PAGE_ENTRIES), pageBytes(form)]);
    const dropped = left[index]!;
    // As many positions of the text at least lie before those that are left.
    if (dropped < 0 || dropped + positions.length > absolutePosition) {
      throw new FormatError(FILE, `head ${index} cannot have left ${dropped} entries behind`);
    }
    return { positions, dropped, pages: file.u8(name) };
  });
}

function readPositions(file: SafetensorsArrays, name: string, absolutePosition: number): Int32Array {
  const positions = file.i32(name);
  let previous = -1;
  for (const position of positions) {
    if (position <= previous || position >= absolutePosition) {
      throw new FormatError(FILE, `${name} should ascend below ${absolutePosition}; ${position} follows ${previous}`);
    }
    previous = position;
  }
  return positions;
}

function checkShape(file: SafetensorsArrays, name: string, shape: readonly number[]): void {
  if (file.shape(name).join() !== shape.join()) {
    throw new FormatError(FILE, `tensor ${name} should have the shape [${shape}] and has [${file.shape(name)}]`);
  }
}
