/** SentencePiece's byte-pair vocabularies, whose entries have scores in place of merges: the merges that these stand for. */

import { TokenList } from "../tokens.ts";
import type { BytePairParts } from "./byte-pair-model.ts";
import { MergeTable } from "./merge-table.ts";
import type { TokenTable } from "./token-table.ts";

interface ScoreParts {
  readonly tokens: TokenTable;
  /** Of each id; the best is merged first. */
  readonly scores: ArrayLike<number>;
  /** Entries that merges never make: control tokens, single bytes, the unknown token. */
  readonly barred: ReadonlySet<number>;
  /** The tokens of single bytes, for characters that are no entries: [256]. */
  readonly byteIds: Int32Array;
}

/**
 * Two neighbours merge when what they spell together is an entry. So every way to divide an entry into two, each of which is an entry or
 * a character, is a merge, and all those of one entry have the place of its score as their rank.
 */
export function scoreMerges({
  tokens,
  scores,
  barred,
  byteIds,
}: ScoreParts): Pick<BytePairParts, "merges" | "strangers" | "expansions"> {
  const entries: [string, number][] = [];
  for (let id = 0; id < tokens.size; id++) {
    const text = barred.has(id) ? undefined : tokens.text(id);
    if (text !== undefined) entries.push([text, id]);
  }
  // The shorter first, whose merges are parts of the longer ones'.
  entries.sort(([a], [b]) => a.length - b.length);
  const ids = new Map(entries);
  const strangers = new Map<string, number>();
  const expansions = new Map<number, readonly number[]>();
  const idOf = (part: string): number => {
    const known = ids.get(part);
    if (known !== undefined) return known;
    const isCharacter = part.length === 1 || (part.length === 2 && part.codePointAt(0)! > 0xffff);
    const id = isCharacter ? tokens.id(part) : -1;
    if (!isCharacter || id >= 0) return id;
    const stranger = tokens.size + strangers.size;
    ids.set(part, stranger);
    strangers.set(part, stranger);
    expansions.set(
      stranger,
      Array.from(new TextEncoder().encode(part), (byte) => byteIds[byte]!),
    );
    return stranger;
  };
  const places = placesOf(scores);
  const merges = new TokenList();
  const ranks = new TokenList();
  for (const [text, id] of entries) {
    for (let at = 1; at < text.length; at++) {
      if (text.charCodeAt(at) >>> 10 === 0x37) continue;
      const left = idOf(text.slice(0, at));
      const right = left < 0 ? -1 : idOf(text.slice(at));
      if (right < 0) continue;
      for (const part of [left, right, id]) merges.push(part);
      ranks.push(places.get(scores[id]!)!);
    }
  }
  const table = new MergeTable(merges.take(), { size: tokens.size + strangers.size, ranks: ranks.take() });
  return { merges: table, strangers, expansions };
}

/** The place of each score among all, from the highest on. */
function placesOf(scores: ArrayLike<number>): Map<number, number> {
  const descending = Float64Array.from(new Set(Array.from(scores)))
    .sort()
    .reverse();
  return new Map(Array.from(descending, (score, place) => [score, place]));
}
