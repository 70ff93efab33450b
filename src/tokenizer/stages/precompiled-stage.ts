/** SentencePiece's own normalization, a table that comes with the vocabulary, as Hugging Face's Precompiled applies it. */
import { Stage, type StageState } from "./stage.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What texts are replaced by: a double array (Aoe 1989, as in darts-clone) of texts, and their replacements one after another. */
export class CharacterTable {
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;

  /** @throws RangeError when the bytes are no table */
  constructor(bytes: Uint8Array) {
    if (bytes.length < 4) throw new RangeError("it is too short");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = view.getUint32(0, true);
    if (length % 4 !== 0 || length + 4 > bytes.length) throw new RangeError("it is shorter than it says");
    this.#units = Uint32Array.from({ length: length / 4 }, (_, index) => view.getUint32(4 + index * 4, true));
    this.#replacements = bytes.subarray(4 + length);
  }

  /** What stands for a text: for the shortest of its beginnings that is in the table; undefined when none is. */
  replacement(text: string): string | undefined {
    const units = this.#units;
    let node = offsetOf(units[0] ?? 0);
    for (const byte of encoder.encode(text)) {
      if (byte === 0) break;
      node ^= byte;
      const unit = units[node];
      // A label that differs, and a place outside the table, are both no way on.
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node ^= offsetOf(unit);
      if ((unit >>> 8) & 1) return this.#textAt((units[node] ?? 0) & 0x7fffffff);
    }
    return undefined;
  }

  #textAt(start: number): string {
    const end = this.#replacements.indexOf(0, start);
    return decoder.decode(this.#replacements.subarray(start, end < 0 ? undefined : end));
  }
}

const offsetOf = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);

/** Replaces characters, or several that are seen as one, by what the table has for them. */
export class PrecompiledStage extends Stage {
  readonly #table: CharacterTable;
  readonly #segmenter: Intl.Segmenter;
  #held = "";
  #atOrigin = false;

  constructor(next: Stage, table: CharacterTable, segmenter: Intl.Segmenter) {
    super(next);
    this.#table = table;
    this.#segmenter = segmenter;
  }

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    if (this.#held === "" && from < to) this.#atOrigin = atOrigin;
    const whole = this.#held + text.slice(from, to);
    let cut = whole.length;
    // Between two printable characters of ASCII there always is a border.
    if (!ends) for (cut--; cut > 0 && !(isPrintable(whole, cut - 1) && isPrintable(whole, cut)); cut--);
    if (cut > 0 || ends) {
      const normalized = this.#normalize(whole.slice(0, Math.max(cut, 0)));
      this.next.push(normalized, 0, normalized.length, ends, this.#atOrigin);
      if (cut > 0) this.#atOrigin = false;
    }
    this.#held = whole.slice(Math.max(cut, 0));
  }

  #normalize(text: string): string {
    let normalized = "";
    for (const { segment } of this.#segmenter.segment(text)) {
      const all = encoder.encode(segment).length < 6 ? this.#table.replacement(segment) : undefined;
      if (all !== undefined) normalized += all;
      else for (const character of segment) normalized += this.#table.replacement(character) ?? character;
    }
    return normalized;
  }

  override get state(): StageState {
    return [this.#held, this.#atOrigin];
  }

  override set state(state: StageState) {
    [this.#held, this.#atOrigin] = state as [string, boolean];
  }
}

const isPrintable = (text: string, at: number) => text.charCodeAt(at) >= 32 && text.charCodeAt(at) < 127;
