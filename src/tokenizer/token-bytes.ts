/** The bytes a vocabulary entry stands for: byte-level spelling (GPT-2) and the spelling of SentencePiece, with ▁ and <0x0A>. */

/** How a vocabulary spells bytes. */
export type Spelling = "byte-level" | "metaspace";

const byteOfCharacter = new Map<number, number>();
for (let byte = 0, next = 256; byte < 256; byte++) {
  // GPT-2 shows printable Latin-1 characters as they are and moves the others to U+0100 and up, in order.
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  byteOfCharacter.set(printable ? byte : next++, byte);
}

const encoder = new TextEncoder();

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
