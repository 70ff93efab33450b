/** Sets of characters, by name or by their members, as predicates on code points. */

/** Whether a code point belongs to the set. */
export type CharacterSet = (codePoint: number) => boolean;

const categories =
  "C Cc Cf Cn Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs".split(" ");

// A name as Oniguruma compares it, and the class that JavaScript knows it by. All run on one character at a time.
const sources = new Map<string, string>([
  ...categories.map((name): [string, string] => [name.toLowerCase(), `\\p{${name}}`]),
  ["letter", "\\p{L}"],
  ["mark", "\\p{M}"],
  ["number", "\\p{N}"],
  ["punctuation", "\\p{P}"],
  ["symbol", "\\p{S}"],
  ["separator", "\\p{Z}"],
  ["other", "\\p{C}"],
  ["uppercaseletter", "\\p{Lu}"],
  ["lowercaseletter", "\\p{Ll}"],
  ["titlecaseletter", "\\p{Lt}"],
  ["modifierletter", "\\p{Lm}"],
  ["otherletter", "\\p{Lo}"],
  ["decimalnumber", "\\p{Nd}"],
  ["alphabetic", "\\p{Alphabetic}"],
  ["alpha", "\\p{Alphabetic}"],
  ["alnum", "\\p{Alphabetic}\\p{Nd}"],
  ["lower", "\\p{Lowercase}"],
  ["lowercase", "\\p{Lowercase}"],
  ["upper", "\\p{Uppercase}"],
  ["uppercase", "\\p{Uppercase}"],
  ["digit", "\\p{Nd}"],
  ["space", "\\p{White_Space}"],
  ["whitespace", "\\p{White_Space}"],
  ["blank", "\\t\\p{Zs}"],
  ["cntrl", "\\p{Cc}"],
  ["punct", "\\p{P}\\p{S}"],
  ["word", "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"],
  ["xdigit", "0-9A-Fa-f"],
  ["ascii", "\\0-\\x7f"],
  ["any", "\\0-\\u{10ffff}"],
  ["emoji", "\\p{Emoji}"],
]);

// Where case is ignored, Oniguruma widens these in ways of its own.
const cased = new Set(["ll", "lt", "lu", "lower", "lowercase", "upper", "uppercase"]);

/** A set by one or more of JavaScript's class members. */
function fromSource(members: string): CharacterSet {
  const expression = new RegExp(`[${members}]`, "u");
  return (codePoint) => expression.test(String.fromCodePoint(codePoint));
}

/**
 * A set by the name that stands in `\p{...}` or `[:...:]`: a general category, a script, or a POSIX class.
 *
 * @returns undefined when there is none of that name
 */
export function namedSet(name: string): { set: CharacterSet; cased: boolean } | undefined {
  const plain = name.toLowerCase().replaceAll(/[\s_-]/g, "");
  const source = sources.get(plain) ?? scriptSource(name);
  return source === undefined ? undefined : { set: fromSource(source), cased: cased.has(plain) };
}

function scriptSource(name: string): string | undefined {
  if (!/^[A-Z][a-z]+(?:_[A-Z][a-z]+)*$/.test(name)) return undefined;
  const source = `\\p{Script=${name}}`;
  try {
    new RegExp(source, "u");
    return source;
  } catch {
    return undefined;
  }
}

export const whiteSpace = fromSource("\\p{White_Space}");
export const digit = fromSource("\\p{Nd}");
export const hexadecimal = fromSource("0-9A-Fa-f");
/** What a word is made of; outside of brackets Oniguruma adds the numeric characters of Latin-1. */
export const word = fromSource(sources.get("word")!);
export const looseWord = fromSource(`${sources.get("word")}\\u00b2\\u00b3\\u00b9\\u00bc-\\u00be`);

/** Everything but a line feed. */
export const notLineFeed: CharacterSet = (codePoint) => codePoint !== 10;
export const anything: CharacterSet = () => true;

/** The code points from first to last. */
export const range =
  (first: number, last: number): CharacterSet =>
  (codePoint) =>
    codePoint >= first && codePoint <= last;

export const not =
  (set: CharacterSet): CharacterSet =>
  (codePoint) =>
    !set(codePoint);

export const union = (sets: readonly CharacterSet[]): CharacterSet =>
  sets.length === 1 ? sets[0]! : (codePoint) => sets.some((set) => set(codePoint));

export const intersection = (sets: readonly CharacterSet[]): CharacterSet =>
  sets.length === 1 ? sets[0]! : (codePoint) => sets.every((set) => set(codePoint));

// Letters that lower case does not bring together with the ASCII letters they are other cases of.
const otherCases = new Map<string, readonly string[]>([
  ["s", ["ſ"]],
  ["k", ["\u212a"]],
  ["å", ["\u212b"]],
  ["σ", ["ς"]],
]);

/** The set and every other case, of one character, of its members. */
export function withOtherCases(set: CharacterSet): CharacterSet {
  return (codePoint) => {
    if (set(codePoint)) return true;
    const text = String.fromCodePoint(codePoint);
    const lower = text.toLowerCase().toUpperCase().toLowerCase();
    return [lower, lower.toUpperCase(), ...(otherCases.get(lower) ?? [])].some(
      (variant) =>
        variant.length <= 2 &&
        String.fromCodePoint(variant.codePointAt(0)!) === variant &&
        set(variant.codePointAt(0)!),
    );
  };
}
