/** Merging by the queue, in windows and across long words, against merging by hand, one best pair after another. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { integers } from "../support/random.ts";
import { inPieces } from "./support.ts";

/** A vocabulary of the letters and of random merges over them; each joins two entries that are there already. */
function drawn(seed: number, letters: string, count: number): { entries: string[]; merges: [string, string][] } {
  const draw = integers(seed);
  const entries = [...letters];
  const merges: [string, string][] = [];
  while (merges.length < count) {
    const [left, right] = [entries[draw(entries.length)]!, entries[draw(entries.length)]!];
    const known = merges.some(([a, b]) => a === left && b === right);
    if (known || left.length + right.length > 12) continue;
    merges.push([left, right]);
    if (!entries.includes(left + right)) entries.push(left + right);
  }
  // Parts need not come before wholes.
  if (seed % 3 === 0) merges.sort(() => draw(3) - 1);
  return { entries, merges };
}

/** The leftmost pair of the best rank becomes one, until none has a rank. @returns texts */
function mergedByHand(text: string, rankOf: (left: string, right: string) => number): string[] {
  const parts = [...text];
  const ranks = parts.map((part, index) => (index + 1 < parts.length ? rankOf(part, parts[index + 1]!) : Infinity));
  for (;;) {
    let best = 0;
    for (let index = 1; index < parts.length; index++) if (ranks[index]! < ranks[best]!) best = index;
    if (!(ranks[best]! < Infinity)) return parts;
    parts.splice(best, 2, parts[best]! + parts[best + 1]!);
    ranks.splice(best, 1);
    for (const index of [best - 1, best])
      if (index >= 0) ranks[index] = index + 1 < parts.length ? rankOf(parts[index]!, parts[index + 1]!) : Infinity;
  }
}

const text = (draw: (limit: number) => number, letters: string, length: number) =>
  Array.from({ length }, () => letters[draw(letters.length)]).join("");

for (const [letters, count] of [
  ["ab", 8],
  ["ab", 30],
  ["abc", 40],
  ["a", 6],
  ["abcdefghij", 200],
] as const) {
  test(`merges over ${letters.length} letters: ${count}`, () => {
    for (let seed = 0; seed < 12; seed++) {
      const { entries, merges } = drawn(seed, letters, letters === "a" ? Math.min(count, 1 + seed) : count);
      const model = { type: "BPE", vocab: Object.fromEntries(entries.map((entry, id) => [entry, id])), merges };
      const tokenizer = Tokenizer.fromJson({ model, decoder: { type: "ByteLevel" } }, {}, "t");
      const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
      const draw = integers(seed + 100);
      // Beyond the window, which is 8,192 symbols.
      const lengths = seed < 3 ? [12_000, 9000] : [1, 5, 23, 24, 25, 60, 300, 3000];
      for (const length of lengths) {
        const drawnText = text(draw, letters, length);
        const byHand = mergedByHand(drawnText, (left, right) => ranks.get(`${left} ${right}`) ?? Infinity);
        const ids = byHand.map((part) => entries.indexOf(part));
        assert.equal([...tokenizer.encode(drawnText)], ids);
        assert.equal(
          inPieces(tokenizer, drawnText, () => 1 + draw(length > 3000 ? 900 : 40)),
          ids,
        );
      }
    }
  });
}

test("merges by score", () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  for (let seed = 0; seed < 12; seed++) {
    const { entries } = drawn(seed, "abc▁", 30);
    const draw = integers(seed + 50);
    // Some scores are equal, some letters are no tokens.
    const known = entries.filter((entry) => entry.length > 1 || draw(4) > 0);
    const tokens = ["<unk>", ...bytes, ...known];
    const scores = tokens.map(() => -draw(20) / 4);
    const metadata = new Map<string, unknown>([
      ["tokenizer.ggml.model", "llama"],
      ["tokenizer.ggml.tokens", tokens],
      ["tokenizer.ggml.scores", scores],
      ["tokenizer.ggml.token_type", tokens.map((_, id) => (id === 0 ? 2 : id <= 256 ? 6 : 1))],
      ["tokenizer.ggml.add_space_prefix", false],
    ]);
    const tokenizer = Tokenizer.fromGguf((key) => metadata.get(key), "t");
    const rankOf = (left: string, right: string) => {
      const id = known.indexOf(left + right);
      return id < 0 ? Infinity : -scores[257 + id]!;
    };
    for (const length of seed < 3 ? [12_000] : [1, 5, 30, 300, 2000]) {
      const drawnText = text(draw, "abc ", length);
      const ids = mergedByHand(drawnText.replaceAll(" ", "▁"), rankOf).flatMap((part) =>
        known.includes(part)
          ? [257 + known.indexOf(part)]
          : Array.from(new TextEncoder().encode(part), (byte) => 1 + byte),
      );
      assert.equal([...tokenizer.encode(drawnText)], ids);
      assert.equal(
        inPieces(tokenizer, drawnText, () => 1 + draw(length > 3000 ? 900 : 40)),
        ids,
      );
    }
  }
});

test("a word of a megabyte", () => {
  const merges = Array.from({ length: 6 }, (_, level) => ["a".repeat(2 ** level), "a".repeat(2 ** level)]);
  const entries = ["b", ...Array.from({ length: 7 }, (_, level) => "a".repeat(2 ** level))];
  const model = { type: "BPE", vocab: Object.fromEntries(entries.map((entry, id) => [entry, id])), merges };
  const tokenizer = Tokenizer.fromJson({ model, decoder: { type: "ByteLevel" } }, {}, "t");
  const started = performance.now();
  const tokens = tokenizer.encode(`b${"a".repeat(1_000_003)}`);
  assert.is(tokens.length, 1 + 15_625 + 2);
  assert.equal([...tokens.subarray(0, 2)], [0, 7]);
  assert.equal([...tokens.subarray(-2)], [2, 1]);
  assert.ok(performance.now() - started < 8000);
});

test.run();
