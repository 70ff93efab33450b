/** SentencePiece's byte-pair models, whose entries have scores instead of merges, as llama.cpp runs them. */

import type { TokensOut } from "../tokens.ts";
import { PairSet } from "./merge-table.ts";
import { Merger } from "./merger.ts";
import { MergingModel } from "./merging-model.ts";
import { hashFactor, type TokenTable } from "./token-table.ts";

const encoder = new TextEncoder();

/** A text's characters as the merger holds them. */
interface Characters {
  readonly bytes: Uint8Array;
  /** of the bytes up to each: [bytes + 1] */
  readonly hashes: Int32Array;
  /** where each character begins among the bytes, and the end: [count + 1] */
  readonly starts: Int32Array;
  readonly ids: Int32Array;
}

/** Merges two neighbours when what they spell together is an entry. */
class ScoreMerger extends Merger<Characters> {
  bytes: Uint8Array = new Uint8Array(0);
  hashes: Int32Array = new Int32Array(1);
  starts: Int32Array = new Int32Array(1);
  readonly #tokens: TokenTable;
  readonly #ranks: Int32Array;
  readonly #powers: Int32Array;

  constructor(tokens: TokenTable, ranks: Int32Array) {
    super();
    this.#tokens = tokens;
    this.#ranks = ranks;
    this.#powers = new Int32Array(tokens.longest + 1).fill(1);
    for (let length = 1; length <= tokens.longest; length++)
      this.#powers[length] = Math.imul(this.#powers[length - 1]!, hashFactor);
  }

  /** The entry that bytes spell, or -1. */
  find(start: number, end: number): number {
    const length = end - start;
    if (length > this.#tokens.longest) return -1;
    // As hashBytes of the range gives it.
    const hash = (this.hashes[end]! - Math.imul(this.hashes[start]!, this.#powers[length]!)) | 0;
    return this.#tokens.find(this.bytes, start, end, hash);
  }

  protected override rank(left: number, _right: number, end: number): number {
    const id = this.find(this.starts[left]!, this.starts[end]!);
    this.merged = id;
    return id < 0 ? -1 : this.#ranks[id]!;
  }

  override save(count: number): Characters {
    const { bytes, hashes, starts } = this;
    return { bytes, hashes, starts, ids: this.ids.slice(0, count) };
  }

  override load({ bytes, hashes, starts, ids }: Characters, start: number, count: number): void {
    this.reserve(count);
    this.bytes = bytes;
    this.hashes = hashes;
    this.starts = starts.subarray(start);
    this.ids.set(ids.subarray(start, start + count));
  }
}

/** What a model by scores is made of. */
interface ScoreParts {
  readonly tokens: TokenTable;
  /** Of each id; the best is merged first. */
  readonly scores: ArrayLike<number>;
  /** Entries that merges never make: control tokens, single bytes, the unknown token. */
  readonly barred: ReadonlySet<number>;
  /** The tokens of single bytes, for characters that are no entries: [256]. */
  readonly byteIds: Int32Array;
}

export class ScoreModel extends MergingModel<Characters, ScoreMerger> {
  protected override readonly longestWhole = -1;
  readonly #neighbours: PairSet;
  readonly #byteIds: Int32Array;
  #text = "";

  constructor({ tokens, scores, barred, byteIds }: ScoreParts) {
    const ranks = ranksOf(scores, barred, tokens.size);
    const neighbours = new PairSet(tokens.size);
    const lengths = new Set([1]);
    for (let id = 0; id < tokens.size; id++) {
      if (ranks[id]! < 0) continue;
      const characters = Array.from(tokens.text(id) ?? "", (character) => character.codePointAt(0)!);
      for (let at = 1; at < characters.length; at++) neighbours.add(characters[at - 1]!, characters[at]!);
      lengths.add(characters.length);
    }
    const ascending = [...lengths].sort((a, b) => a - b);
    super(new ScoreMerger(tokens, ranks), new ScoreMerger(tokens, ranks), ascending, tokens.longest);
    this.#neighbours = neighbours;
    this.#byteIds = byteIds;
  }

  protected override prepare(text: string, from: number, to: number): number {
    const { merger } = this;
    const units = to - from;
    merger.reserve(units);
    if (this.cuts.length < merger.ids.length) this.cuts = new Int32Array(merger.ids.length);
    if (merger.bytes.length < units * 3) merger.bytes = new Uint8Array(units * 4);
    if (merger.starts.length < units + 1) merger.starts = new Int32Array(units * 2 + 1);
    const { bytes, starts } = merger;
    const { cuts } = this;
    const { written } = encoder.encodeInto(text.slice(from, to), bytes);
    if (merger.hashes.length <= written) merger.hashes = new Int32Array(written * 2 + 1);
    this.#text = text;
    let hash = 0;
    let count = 0;
    let at = from;
    for (let index = 0; index < written; index++) {
      const byte = bytes[index]!;
      if ((byte & 0xc0) !== 0x80) {
        starts[count] = index;
        cuts[count++] = at;
        at += byte >= 0xf0 ? 2 : 1;
      }
      hash = (Math.imul(hash, hashFactor) + byte + 1) | 0;
      merger.hashes[index + 1] = hash;
    }
    starts[count] = written;
    for (let index = 0; index < count; index++) merger.ids[index] = merger.find(starts[index]!, starts[index + 1]!);
    return count;
  }

  protected override whole(): number {
    return -1;
  }

  protected override apart(at: number): boolean {
    const before = this.#text.codePointAt(this.cuts[at - 1]!)!;
    return !this.#neighbours.has(before, this.#text.codePointAt(this.cuts[at]!)!);
  }

  protected override put(at: number, out: TokensOut): void {
    const { ids, bytes, starts } = this.merger;
    if (ids[at]! >= 0) out.push(ids[at]!);
    else for (let index = starts[at]!; index < starts[at + 1]!; index++) out.push(this.#byteIds[bytes[index]!]!);
  }
}

/** The place of each id's score among all, from the highest on, equal scores sharing one; -1 for what is barred. */
function ranksOf(scores: ArrayLike<number>, barred: ReadonlySet<number>, size: number): Int32Array {
  const descending = Float64Array.from(new Set(Array.from(scores)))
    .sort()
    .reverse();
  const places = new Map<number, number>();
  for (const [place, score] of descending.entries()) places.set(score, place);
  return Int32Array.from({ length: size }, (_, id) => (barred.has(id) ? -1 : places.get(scores[id]!)!));
}
