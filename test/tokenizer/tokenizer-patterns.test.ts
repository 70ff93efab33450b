/** Regular expressions as Oniguruma matches them, and what is refused of them; searches that more text cannot change. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DigitGroups, knownGroupings } from "../../src/tokenizer/pattern/digit-groups.ts";
import { Allowance, Found, Matcher, type TextMatcher } from "../../src/tokenizer/pattern/matcher.ts";
import { PatternSyntaxError } from "../../src/tokenizer/pattern/syntax.ts";
import { integers } from "../support/random.ts";
import { readPacked } from "./support.ts";

/** Cuts a text at every match, as a Split that isolates them. */
function split(matcher: TextMatcher, text: string): string[] {
  const pieces: string[] = [];
  const allowance = new Allowance();
  let [done, last] = [0, -1];
  for (let at = 0; at <= text.length; ) {
    if (matcher.find(text, 0, text.length, at, true, allowance) !== Found.match) break;
    const { start, end } = matcher;
    if (start === end && last === end) {
      at += text.codePointAt(at)! > 0xffff ? 2 : 1;
      continue;
    }
    pieces.push(text.slice(done, start), text.slice(start, end));
    done = last = at = end;
  }
  return [...pieces, text.slice(done)].filter((piece) => piece !== "");
}

interface Recording {
  /** pattern, text, and its pieces or null where Oniguruma refuses the pattern */
  cases: [string, string, string[] | null][];
}

const { cases } = readPacked<Recording>("patterns");
// What Oniguruma has and is refused here.
const refused = new Set([
  ...["\\R", "\\X", "\\Ga", "\\Q.\\E", "\\y", "\\K", "a\\Kb", "\\N+", "\\O", "(a)\\1", "\\101", "\\cA", "\\0", "\\x4"],
  ...["(?x: a b)", "(?mi-x:a.)", "(?~ab)", "(?<=a+)b", "(?<=^|x)a", "a{2}?", "a{3,1}", "a**", "(?:a*)*b", "(?:a*)+b"],
  ...[
    "(?i:ss)",
    "(?i:'st)",
    "(?i)ß",
    "(?i)[ß]",
    "(?i)ﬁ",
    "(?i)\\p{Lu}",
    "(?i)[\\p{Lu}]",
    "[a&&]",
    "[&&a]",
    "\\p{InBasicLatin}",
  ],
]);

for (const [pattern, text, pieces] of cases) {
  test(`${JSON.stringify(pattern)} on ${JSON.stringify(text)}`, () => {
    if (pieces === null || refused.has(pattern)) {
      assert.throws(
        () => new Matcher(pattern),
        (error: unknown) => error instanceof PatternSyntaxError && error.message.length > 5,
      );
    } else assert.equal(split(new Matcher(pattern), text), pieces);
  });
}

const searched = [
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'ll)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "\\s++$|a+?b|(?>a+)c",
  "(?<=a)b|(?<!b)a|^\\s|\\b1",
  "(?:ab?)+c|\\Z",
  "a{2,3}|(?=1)",
];

test("a match that is certain stands whatever follows", () => {
  const draw = integers(5);
  const alphabet = ["a", "b", "c", " ", "\n", "1", "'", "s", "L", ".", "😀"];
  let certain = 0;
  for (const pattern of searched) {
    const matcher = new Matcher(pattern);
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: 1 + draw(12) }, () => alphabet[draw(alphabet.length)]).join("");
      const to = draw(text.length + 1);
      if (text.charCodeAt(to) >>> 10 === 0x37) continue;
      const found = matcher.find(text, 0, to, 0, false, new Allowance());
      const [start, end] = [matcher.start, matcher.end];
      const whole = matcher.find(text, 0, text.length, 0, true, new Allowance());
      if (found === Found.match) {
        certain++;
        assert.is(whole, Found.match);
        assert.equal([matcher.start, matcher.end], [start, end], `${pattern} on ${JSON.stringify(text)} to ${to}`);
      } else if (whole === Found.match)
        assert.ok(matcher.start >= start, `${pattern} on ${JSON.stringify(text)} to ${to}`);
    }
  }
  assert.ok(certain > 3000, `${certain}`);
});

test("groups of digits as the patterns have them that look ahead", () => {
  const draw = integers(6);
  const alphabet = [..."0123456789٣x_ .", "12", "345", "\n", "𝟘"];
  for (const [pattern, grouping] of knownGroupings) {
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: draw(14) }, () => alphabet[draw(alphabet.length)]).join("");
      assert.equal(split(new DigitGroups(grouping), text), split(new Matcher(pattern), text), JSON.stringify(text));
    }
  }
});

test("patterns that would try for ever end soon", () => {
  for (const [pattern, text] of [
    ["(a+)+b", "a".repeat(40)],
    ["(a|a)*b", "a".repeat(60)],
    ["(a|aa)+$", `${"a".repeat(60)}b`],
    ["(?:a{1,30}){1,30}b", "a".repeat(300)],
    ["(?=(a+)+b)a", "a".repeat(50)],
    ["(?:(?:a*)b?)*".replace("a*", "a+"), `${"a".repeat(5000)}`],
  ] as const) {
    const started = performance.now();
    try {
      split(new Matcher(pattern), text);
    } catch (error) {
      assert.instance(error, RangeError);
    }
    assert.ok(performance.now() - started < 2000, pattern);
  }
});

test("patterns too large or too deep are refused", () => {
  for (const pattern of [
    "(".repeat(200),
    `${"(".repeat(150)}a${")".repeat(150)}`,
    "[".repeat(200),
    "(?:(?:ab){1000}){100}",
    "a".repeat(30_000),
    "a{1001}",
  ])
    assert.throws(
      () => new Matcher(pattern),
      (error: unknown) => error instanceof PatternSyntaxError,
    );
});

test.run();
