/** The bytes a vocabulary entry stands for: byte-level spelling (GPT-2) and the spelling of SentencePiece, with ▁ and <0x0A>. */

/** How a vocabulary spells bytes. */
export type Spelling = "byte-level" | "metaspace";

/** The character that spells each byte: [256] UTF-16 units. */
export const characterOfByte = new Uint16Array(256);
const byteOfCharacter = new Map<number, number>();
for (let byte = 0, next = 256; byte < 256; byte++) {
  // GPT-2 shows printable Latin-1 characters as they are and moves the others to U+0100 and up, in order.
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const character = printable ? byte : next++;
  characterOfByte[byte] = character;
  byteOfCharacter.set(character, byte);
}

const encoder = new TextEncoder();

/** A text with every byte of its UTF-8 spelled by a character. */
export function spell(text: string): string {
  let spelled = "";
  for (const byte of encoder.encode(text)) spelled += String.fromCharCode(characterOfByte[byte]!);
  return spelled;
}

/** How SentencePiece spells a byte that is a token of its own. */
export const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/**
 * The bytes of one vocabulary entry that is not an added token.
 *
 * A byte-level entry with a character outside the byte alphabet stands for its own UTF-8, as in Hugging Face's ByteLevel decoder.
 */
export function spelledBytes(entry: string, spelling: Spelling): Uint8Array {
  if (spelling === "metaspace") {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(entry)?.[1];
    return byte ? Uint8Array.of(Number.parseInt(byte, 16)) : encoder.encode(entry.replaceAll("▁", " "));
  }
  const bytes = new Uint8Array(entry.length);
  for (let index = 0; index < entry.length; index++) {
    const byte = byteOfCharacter.get(entry.charCodeAt(index));
    if (byte === undefined) return encoder.encode(entry);
    bytes[index] = byte;
  }
  return bytes;
}
