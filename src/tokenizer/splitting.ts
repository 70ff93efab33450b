/** Where a text may be cut so that its parts encode to the tokens of the whole, and the pre-tokenizers for which that is known. */

/** A part of a tokenizer.json: an object with a type. */
export interface Component {
  type: string;
  [key: string]: unknown;
}

const tail = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const llamaLike = (numbers: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${tail}`;

/** The split patterns of well-known models, as their tokenizer.json files write them. */
export const patterns = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  llama3: llamaLike("\\p{N}{1,3}"),
  qwen2: llamaLike("\\p{N}"),
  numeral: "\\p{N}",
  numerals: "\\p{N}+",
} as const;

// Those that divide a text without a remainder; numerals alone would leave what is between them whole.
const scanning: readonly unknown[] = [patterns.gpt2, patterns.llama3, patterns.qwen2];

/** A Split step that makes a piece of every match and of every text between matches. */
export const isolate = (pattern: string): Component => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});

/** The step that spells bytes and splits nothing. */
export const spellBytes: Component = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: false,
};

/**
 * Whether `lastSafeCut` holds for a tokenizer with these steps.
 *
 * Why it does. Each pattern here is matched from left to right without looking back, and looks ahead only past white space, to the
 * next character. Say the text is cut before a character r that follows l.
 * - l is a letter or a numeral, r is neither: every match that holds l ends there, whatever follows, and the scan goes on at r.
 * - l is not white space, r is a space: no match holds a space after a character that is not white space.
 * So the whole text's scan has a border at the cut; what lies left of it was matched without regard to anything beyond, and what lies right
 * of it is matched as from a beginning. Steps one after another keep the property, since each piece is scanned by itself.
 * Byte-pair merges stay inside pieces. NFC changes nothing across the cut, as no r composes with the character before it, and l is
 * looked at before and after it: some Indic letters come apart and end in a mark.
 */
export function cutsAreSafe(normalizer: Component | null, steps: readonly Component[]): boolean {
  const patternOf = (step: Component) => (step.pattern as { Regex?: unknown } | undefined)?.Regex;
  return (
    (normalizer === null || normalizer.type === "NFC") &&
    steps.some((step) => scanning.includes(patternOf(step))) &&
    steps.every((step) =>
      step.type === "Split"
        ? [...scanning, patterns.numeral, patterns.numerals].includes(patternOf(step)) &&
          step.behavior === "Isolated" &&
          step.invert !== true
        : step.type === "ByteLevel" && step.use_regex === false && step.add_prefix_space === false,
    )
  );
}

// U+FEFF and U+0085 are white space to one of JavaScript and Unicode and not to the other: neither is trusted on either side.
const whiteSpace = /[\s\p{White_Space}]$/u;
const letterOrNumeral = /[\p{L}\p{N}]$/u;
const endsInLetterOrNumeral = (text: string) =>
  letterOrNumeral.test(text) && letterOrNumeral.test(text.normalize("NFC"));
// Marks are left out although no pattern minds them, because they compose under NFC.
const border = /^(?:[ \t\n\r]|[!-/:-@[-`{-~]|\p{P})/u;

/**
 * The last place after the first `from` UTF-16 units of `text` where it may be cut, or -1; the part before is then [0, cut).
 *
 * It needs to see the two units before a cut, and nothing of what follows the character after it.
 */
export function lastSafeCut(text: string, from: number): number {
  for (let cut = text.length - 1; cut >= Math.max(from, 1); cut--) {
    const right = text[cut]!;
    if (!border.test(right)) continue;
    const left = text.slice(Math.max(cut - 2, 0), cut);
    if (endsInLetterOrNumeral(left) || (right === " " && !whiteSpace.test(left))) return cut;
  }
  return -1;
}
