/** Turns a file's bytes into text: finds its encoding, takes PDF and HTML apart, and says plainly what is no text. */
import { analyse } from "chardet";
import { SiskinError } from "../errors.ts";
import { html, pdf } from "./extract.ts";

/** A text, and what a reader should know about how it was read. */
export interface DecodedText {
  readonly text: string;
  readonly note?: string;
}

/** Bytes looked at to tell what a file is. */
const SNIFFED = 65_536;

/** What files that are no text begin with, and what to say of them. */
const KINDS: readonly { readonly start: string; readonly what: string }[] = [
  { start: "PK\x03\x04", what: "a ZIP archive, as .docx, .xlsx, .odt and .epub files are: save it as text or HTML" },
  { start: "\x1f\x8b", what: "compressed by gzip: unpack it" },
  { start: "\x89PNG", what: "a picture" },
  { start: "\xff\xd8\xff", what: "a picture" },
  { start: "GIF8", what: "a picture" },
  { start: "\xd0\xcf\x11\xe0", what: "an old Office document: save it as text or HTML" },
  { start: "GGUF", what: "a model: give it with --model" },
];

/**
 * A document's text: PDF and HTML by their own readers, other bytes by their encoding; line endings become line feeds.
 * @param name as errors say it
 * @throws SiskinError that names the file, for what is no text
 */
export async function textOf(bytes: Uint8Array, name: string): Promise<DecodedText> {
  if (startsWith(bytes, "%PDF-")) return { text: plainLines(await pdf(bytes, name)) };
  const decoded = decode(bytes, name);
  if (!isHtml(decoded.text, name)) return { ...decoded, text: plainLines(decoded.text) };
  return { ...decoded, text: plainLines(await html(decoded.text, name)) };
}

/**
 * Text as it arrives, of a source without a name and perhaps without an end. What is not UTF-8 or UTF-16 is refused: its encoding shows
 * only in the whole. PDF and HTML are taken apart when all has come.
 */
export async function* streamedText(
  source: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<string, void, void> {
  let begin = new Uint8Array(0);
  let decoder: TextDecoder | undefined;
  let held = "";
  const lines = (text: string) => {
    // Half of a line's end may come with the next piece.
    const all = held + text;
    held = all.endsWith("\r") ? "\r" : "";
    return plainLines(held ? all.slice(0, -1) : all);
  };
  const decoded = (bytes?: Uint8Array) => {
    try {
      return bytes ? decoder!.decode(bytes, { stream: true }) : decoder!.decode();
    } catch {
      throw new SiskinError(`${name} is not ${decoder!.encoding.toUpperCase()} throughout: save it to a file first`);
    }
  };
  for await (const piece of source) {
    if (decoder) {
      yield lines(decoded(piece));
      continue;
    }
    begin = joinedBytes(begin, piece);
    // The first words say what it is; a PDF or a page is wanted whole.
    if (begin.length < 1024 || startsWith(begin, "%PDF-") || looksLikeHtml(latin(begin))) continue;
    refuseBinary(begin, name);
    decoder = new TextDecoder(unicodeOf(begin) ?? "utf-8", { fatal: true });
    yield lines(decoded(begin));
  }
  if (decoder) {
    const rest = plainLines(held + decoded());
    if (rest !== "") yield rest;
  } else yield (await textOf(begin, name)).text;
}

/** Bytes of text in whatever encoding. @throws SiskinError for what is none */
function decode(bytes: Uint8Array, name: string): DecodedText {
  refuseBinary(bytes, name);
  const unicode = unicodeOf(bytes);
  if (unicode) return { text: new TextDecoder(unicode).decode(bytes) };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    const encoding = analyse(bytes)
      .map(({ name }) => name)
      .find(isKnown);
    const chosen = encoding ?? "windows-1252";
    return { text: new TextDecoder(chosen).decode(bytes), note: `${name} is not UTF-8; read as ${chosen}` };
  }
}

/** UTF-16 by its mark or, where every other byte is mostly 0, without; UTF-8 has its mark taken off by TextDecoder. */
function unicodeOf(bytes: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if (startsWith(bytes, "\xff\xfe")) return "utf-16le";
  if (startsWith(bytes, "\xfe\xff")) return "utf-16be";
  const looked = bytes.subarray(0, SNIFFED);
  const zeros = [0, 0];
  for (let index = 0; index < looked.length; index++) if (looked[index] === 0) zeros[index & 1]!++;
  const many = looked.length / 2 / 3;
  const [even, odd] = zeros as [number, number];
  if (odd > many && even < odd / 20) return "utf-16le";
  return even > many && odd < even / 20 ? "utf-16be" : undefined;
}

/** @throws SiskinError for bytes that no text has */
function refuseBinary(bytes: Uint8Array, name: string): void {
  const kind = KINDS.find(({ start }) => startsWith(bytes, start));
  if (kind) throw new SiskinError(`${name} is no text but ${kind.what}`);
  if (startsWith(bytes, "\xff\xfe\0\0") || startsWith(bytes, "\0\0\xfe\xff")) {
    throw new SiskinError(`${name} is in UTF-32, which is not read: save it as UTF-8`);
  }
  if (unicodeOf(bytes)) return;
  const looked = bytes.subarray(0, SNIFFED);
  const zero = looked.indexOf(0);
  if (zero >= 0) throw new SiskinError(`${name} is no text but binary data (byte ${zero} is 0)`);
  const controls = looked.reduce((sum, byte) => sum + Number(isControl(byte)), 0);
  if (controls > looked.length / 50) {
    throw new SiskinError(
      `${name} is no text but binary data (${controls} of its first ${looked.length} bytes are control characters)`,
    );
  }
}

/** Control characters but for white space, bell, backspace and escape, which logs have. */
function isControl(byte: number): boolean {
  return byte < 7 || (byte > 13 && byte < 32 && byte !== 27) || byte === 127;
}

function isKnown(encoding: string): boolean {
  try {
    return new TextDecoder(encoding).encoding !== "";
  } catch {
    return false;
  }
}

function isHtml(text: string, name: string): boolean {
  return looksLikeHtml(text) || /\.x?html?$/i.test(name);
}

function looksLikeHtml(text: string): boolean {
  return /^\ufeff?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype html|html)\b/is.test(text.slice(0, 4096));
}

function plainLines(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}

function startsWith(bytes: Uint8Array, start: string): boolean {
  return (
    bytes.length >= start.length && [...start].every((character, index) => bytes[index] === character.charCodeAt(0))
  );
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 1024));
}

function joinedBytes(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
