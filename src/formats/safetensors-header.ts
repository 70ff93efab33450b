/** The header of a safetensors file, checked against every rule of the format: https://github.com/huggingface/safetensors */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { valuesIn } from "./tensor-types.ts";

/** Bytes of one value, by type. The types of less than a byte are not known here. */
export const valueBytes: ReadonlyMap<string, number> = new Map([
  ["BOOL", 1],
  ["U8", 1],
  ["I8", 1],
  ["F8_E5M2", 1],
  ["F8_E4M3", 1],
  ["F8_E8M0", 1],
  ["I16", 2],
  ["U16", 2],
  ["F16", 2],
  ["BF16", 2],
  ["I32", 4],
  ["U32", 4],
  ["F32", 4],
  ["I64", 8],
  ["U64", 8],
  ["F64", 8],
  ["C64", 8],
]);

/** The longest header that the format allows, in bytes. */
const headerLimit = 100_000_000;

/** A tensor as the header describes it. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A header that keeps every rule. */
export interface Header {
  /** By offset; together they cover all bytes after the header. */
  readonly entries: readonly HeaderEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Length of the JSON text that the first 8 bytes announce.
 *
 * @param prefix at least those 8 bytes
 * @throws FormatError when it is more than the format or the file allows
 */
export function headerLength(file: string, prefix: Uint8Array, fileLength: number | undefined): number {
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > headerLimit) {
    throw new FormatError(file, `is not a safetensors file: it announces a header of ${length} bytes`, 0);
  }
  if (fileLength !== undefined && 8 + Number(length) > fileLength) {
    throw new FormatError(file, `ends early: its header alone takes ${8 + Number(length)} bytes`, fileLength);
  }
  return Number(length);
}

/**
 * Reads the JSON text of a header.
 *
 * @param text the bytes from byte 8 of the file on
 * @throws FormatError
 */
export function parseHeader(file: string, text: Uint8Array, fileLength: number | undefined): Header {
  const { __metadata__: given = {}, ...tensors } = parseObject(file, text);
  if (!isObject(given) || Object.values(given).some((value) => typeof value !== "string")) {
    throw new FormatError(file, "has metadata that is not all text", 8);
  }
  const dataStart = 8 + text.length;
  const entries = Object.entries(tensors).map(([name, value]) => parseEntry(file, name, value, dataStart));
  entries.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const { name, byteOffset, byteLength } of entries) {
    if (byteOffset < end) throw new FormatError(file, `tensor ${name} overlaps the one before it`, byteOffset);
    if (byteOffset > end) throw new FormatError(file, `has bytes of no tensor before ${name}`, end);
    end = byteOffset + byteLength;
  }
  if (fileLength !== undefined && fileLength < end) {
    throw new FormatError(file, `ends early: its tensors take ${end} bytes`, fileLength);
  }
  if (fileLength !== undefined && fileLength > end) {
    throw new FormatError(file, "has bytes of no tensor at its end", end);
  }
  return { entries, metadata: new Map(Object.entries(given as Record<string, string>)) };
}

/** JSON text of an object in which no key is given twice. */
function parseObject(file: string, text: Uint8Array): Record<string, unknown> {
  let parsed: unknown;
  let json: string;
  try {
    json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
    parsed = JSON.parse(json);
  } catch {
    throw new FormatError(file, "has a header that is not JSON", 8);
  }
  if (!isObject(parsed) || text[0] !== 0x7b) {
    throw new FormatError(file, "has a header that does not begin with a JSON object", 8);
  }
  const twice = repeatedKey(json);
  if (twice !== undefined) throw new FormatError(file, `names ${twice} twice in its header`, 8);
  return parsed;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON.parse lets the last of equal keys win, so that two readers may see two models in one file. */
function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  let text = "";
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '"') {
      // Not by a regular expression, which overflows the stack on a long string.
      const start = at++;
      while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
      text = json.slice(start, at + 1);
    } else if (character === "{") open.push(new Set());
    else if (character === "}") open.pop();
    else if (character === ":") {
      const key = JSON.parse(text) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function parseEntry(file: string, name: string, value: unknown, dataStart: number): HeaderEntry {
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : {};
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw new FormatError(file, `tensor ${name} does not say where it lies`, 8);
  }
  const [begin, end] = offsets as [number, number];
  const at = dataStart + begin;
  const bytesEach = typeof dtype === "string" ? valueBytes.get(dtype) : undefined;
  if (!bytesEach) throw new FormatError(file, `tensor ${name} is of the unknown type ${show(dtype)}`, at);
  const count = isCounts(shape) ? valuesIn(shape) : undefined;
  if (count === undefined) {
    throw new FormatError(file, `tensor ${name} has the impossible shape ${show(shape)}`, at);
  }
  const byteLength = count * bytesEach;
  if (end - begin !== byteLength) {
    throw new FormatError(file, `tensor ${name} should take ${byteLength} bytes, but has ${end - begin}`, at);
  }
  return { name, dtype: dtype as string, shape: shape as number[], byteOffset: at, byteLength };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}
