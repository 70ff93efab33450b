/** Reads regular expressions in the syntax of tokenizer.json files, which is Oniguruma's, into a tree. */
import {
  anything,
  type CharacterSet,
  digit,
  hexadecimal,
  intersection,
  looseWord,
  namedSet,
  not,
  notLineFeed,
  range,
  union,
  whiteSpace,
  withOtherCases,
  word,
} from "./sets.ts";

export type Assertion = "line-start" | "line-end" | "start" | "end" | "end-or-newline" | "word" | "no-word";

/** A part of an expression. */
export type Node =
  /** one character */
  | { type: "set"; set: CharacterSet }
  | { type: "sequence"; nodes: readonly Node[] }
  /** the first that leads to a match */
  | { type: "alternatives"; nodes: readonly Node[] }
  /** `max` is Infinity where there is no limit */
  | { type: "repeat"; node: Node; min: number; max: number; mode: "greedy" | "lazy" | "possessive" }
  | { type: "look"; node: Node; behind: boolean; negative: boolean }
  | { type: "atomic"; node: Node }
  | { type: "assertion"; kind: Assertion };

/** What is wrong with an expression, or not understood in it. */
export class PatternSyntaxError extends Error {}

// Far above what patterns in use need; a bound on recursion and on the size of what is compiled.
const longestPattern = 20_000;
const deepestNesting = 100;
const mostRepeats = 1000;

/**
 * The tree of an expression.
 *
 * Understood are characters, classes with their operations, groups, alternatives, quantifiers of all three modes, look-around, atomic
 * groups, anchors, word boundaries and the options i and m. Back references, calls, conditions and everything else that Oniguruma has
 * is refused by name, since to skip it would match otherwise.
 *
 * @throws PatternSyntaxError
 */
export function parsePattern(source: string): Node {
  if (source.length > longestPattern) throw new PatternSyntaxError(`it has more than ${longestPattern} characters`);
  return new Parser(source).parse();
}

interface Options {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
}

// Pairs that are one character in another case: ß, ﬀ, ﬁ, ﬂ, ﬅ.
const foldingPairs = new Set(["ss", "ff", "fi", "fl", "st"]);

const simpleEscapes = new Map([
  ["n", 10],
  ["t", 9],
  ["r", 13],
  ["f", 12],
  ["v", 11],
  ["a", 7],
  ["e", 27],
]);

const assertionEscapes = new Map<string, Assertion>([
  ["A", "start"],
  ["z", "end"],
  ["Z", "end-or-newline"],
  ["b", "word"],
  ["B", "no-word"],
]);

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;
  /** The letter before, where case is ignored. */
  #letter = "";
  /** What has been met, so that the same class is the same set. */
  readonly #sets = new Map<string, Node>();

  constructor(source: string) {
    this.#characters = Array.from(source);
  }

  parse(): Node {
    const node = this.#alternatives({ ignoreCase: false, dotAll: false });
    if (this.#at < this.#characters.length) this.#fail("a parenthesis is closed that was not opened");
    return node;
  }

  #alternatives(options: Options): Node {
    if (++this.#depth > deepestNesting) this.#fail(`it nests more than ${deepestNesting} deep`);
    const nodes = [this.#sequence(options)];
    while (this.#take("|")) nodes.push(this.#sequence(options));
    this.#depth--;
    return nodes.length === 1 ? nodes[0]! : { type: "alternatives", nodes };
  }

  #sequence(options: Options): Node {
    const nodes: Node[] = [];
    this.#letter = "";
    for (let next = this.#peek(); next !== undefined && next !== "|" && next !== ")"; next = this.#peek()) {
      const atom = this.#atom(options);
      if (atom) nodes.push(this.#quantified(atom));
    }
    return nodes.length === 1 ? nodes[0]! : { type: "sequence", nodes };
  }

  #atom(options: Options): Node | undefined {
    const start = this.#at;
    const node = this.#newAtom(options);
    if (node?.type !== "set") return node;
    const text = `${options.ignoreCase} ${options.dotAll} ${this.#characters.slice(start, this.#at).join("")}`;
    const known = this.#sets.get(text) ?? node;
    this.#sets.set(text, known);
    return known;
  }

  #newAtom(options: Options): Node | undefined {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group(options);
      case "[":
        return set(this.#class(options));
      case ".":
        return set(options.dotAll ? anything : notLineFeed);
      case "^":
        return { type: "assertion", kind: "line-start" };
      case "$":
        return { type: "assertion", kind: "line-end" };
      case "*":
      case "+":
      case "?":
        return this.#fail(`there is nothing to repeat before ${character}`);
      case "\\":
        return this.#escape(options);
      default:
        return this.#literal(character, options);
    }
  }

  #literal(character: string, { ignoreCase }: Options): Node {
    const codePoint = character.codePointAt(0)!;
    if (!ignoreCase) return set(range(codePoint, codePoint));
    if (codePoint > 127) return this.#fail(`${character} is not understood where case is ignored`);
    const letter = character.toLowerCase();
    if (foldingPairs.has(this.#letter + letter))
      return this.#fail(`${this.#letter}${letter} is not understood where case is ignored`);
    this.#letter = letter;
    return set(withOtherCases(range(codePoint, codePoint)));
  }

  #group(options: Options): Node | undefined {
    const inside = (node: (content: Node) => Node, inner = options): Node => {
      const content = this.#alternatives(inner);
      if (!this.#take(")")) this.#fail("a parenthesis is not closed");
      this.#letter = "";
      return node(content);
    };
    const same = (content: Node) => content;
    if (!this.#take("?")) return inside(same);
    if (this.#take(":")) return inside(same);
    if (this.#take(">")) return inside((node) => ({ type: "atomic", node }));
    for (const negative of [false, true]) {
      const sign = negative ? "!" : "=";
      if (this.#take(sign)) return inside((node) => ({ type: "look", node, behind: false, negative }));
      if (this.#take("<", sign)) return inside((node) => ({ type: "look", node, behind: true, negative }));
    }
    if (this.#take("#")) {
      while (this.#next() !== ")");
      return undefined;
    }
    if (this.#take("<")) {
      let name = "";
      for (let next = this.#next(); next !== ">"; next = this.#next()) name += next;
      if (!/^[A-Za-z_]\w*$/.test(name)) this.#fail("a group's name is not understood");
      return inside(same);
    }
    const changed = this.#options(options);
    if (this.#take(":")) return inside(same, changed);
    if (!this.#take(")")) return this.#fail(`a group that begins with (?${this.#peek() ?? ""} is not understood`);
    // Options on their own hold up to the end of the group they stand in, alternatives included.
    return this.#alternatives(changed);
  }

  #options(options: Options): Options {
    let { ignoreCase, dotAll } = options;
    let value = true;
    for (;;) {
      if (this.#take("-")) value = false;
      else if (this.#take("i")) ignoreCase = value;
      else if (this.#take("m")) dotAll = value;
      else return { ignoreCase, dotAll };
    }
  }

  #quantified(node: Node): Node {
    let result = node;
    for (;;) {
      const { bounds, interval } = this.#quantifier();
      if (!bounds) return result;
      if (result.type === "assertion" || result.type === "look") this.#fail("an anchor is repeated");
      let mode: "greedy" | "lazy" | "possessive" = "greedy";
      if (this.#take("?")) {
        if (interval && bounds.min === bounds.max) this.#fail("{n}? is not understood");
        mode = "lazy";
      } else if (!interval && this.#take("+")) mode = "possessive";
      result = { type: "repeat", node: result, ...bounds, mode };
      this.#letter = "";
    }
  }

  #quantifier(): { bounds?: { min: number; max: number }; interval?: boolean } {
    if (this.#take("*")) return { bounds: { min: 0, max: Infinity } };
    if (this.#take("+")) return { bounds: { min: 1, max: Infinity } };
    if (this.#take("?")) return { bounds: { min: 0, max: 1 } };
    const match = this.#peek() === "{" && /^\{(\d*)(?:(,)(\d*))?\}/.exec(this.#ahead(20));
    // A brace that is no quantifier is a character.
    if (!match || (match[1] === "" && !match[3])) return {};
    this.#at += match[0].length;
    const min = Number(match[1] || 0);
    const max = match[2] ? (match[3] ? Number(match[3]) : Infinity) : min;
    if (min > mostRepeats || (max !== Infinity && max > mostRepeats))
      this.#fail(`it repeats more than ${mostRepeats} times`);
    if (min > max) this.#fail(`the quantifier ${match[0]} is not understood`);
    return { bounds: { min, max }, interval: true };
  }

  #escape(options: Options): Node {
    const character = this.#next();
    const kind = assertionEscapes.get(character);
    if (kind) return { type: "assertion", kind };
    if (character === "w" || character === "W") return set(character === "w" ? looseWord : not(looseWord));
    const shorthand = this.#shorthand(character, options);
    if (shorthand) return set(shorthand);
    return this.#literal(String.fromCodePoint(this.#escapedCodePoint(character)), options);
  }

  /** The set that an escape stands for, if it stands for one. */
  #shorthand(character: string, { ignoreCase }: Options): CharacterSet | undefined {
    switch (character) {
      case "s":
        return whiteSpace;
      case "S":
        return not(whiteSpace);
      case "d":
        return digit;
      case "D":
        return not(digit);
      case "h":
        return hexadecimal;
      case "H":
        return not(hexadecimal);
      case "p":
      case "P": {
        const name = /^\{(\^?)([\w -]+)\}/.exec(this.#ahead(60));
        if (!name) return this.#fail(`\\${character} is not followed by a name in braces`);
        this.#at += name[0].length;
        const negative = (character === "P") !== (name[1] === "^");
        return this.#named(name[2]!, negative, ignoreCase);
      }
      default:
        return undefined;
    }
  }

  #named(name: string, negative: boolean, ignoreCase: boolean): CharacterSet {
    const found = namedSet(name.trim());
    if (!found) return this.#fail(`there is no character class ${JSON.stringify(name)} that is understood`);
    if (ignoreCase && found.cased)
      return this.#fail(`the character class ${name} is not understood where case is ignored`);
    return negative ? not(found.set) : found.set;
  }

  #escapedCodePoint(character: string): number {
    const simple = simpleEscapes.get(character);
    if (simple !== undefined) return simple;
    if (character === "x" || character === "u") {
      const digits = (character === "x" ? /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/ : /^()([0-9A-Fa-f]{4})/).exec(
        this.#ahead(8),
      );
      const codePoint = digits ? Number.parseInt(digits[1] || digits[2]!, 16) : Infinity;
      if (
        !digits ||
        codePoint > 0x10ffff ||
        (codePoint >= 0xd800 && codePoint < 0xe000) ||
        (character === "x" && !digits[1] && codePoint > 127)
      )
        return this.#fail(`\\${character} is not followed by a character's number`);
      this.#at += digits[0].length;
      return codePoint;
    }
    if (/^[A-Za-z0-9]$/.test(character)) return this.#fail(`the escape \\${character} is not understood`);
    return character.codePointAt(0)!;
  }

  /** A class, its opening bracket read. */
  #class(options: Options): CharacterSet {
    if (++this.#depth > deepestNesting) this.#fail(`it nests more than ${deepestNesting} deep`);
    const negative = this.#take("^");
    const operands: CharacterSet[] = [];
    let members: CharacterSet[] = [];
    let count = 0;
    for (; ; count++) {
      if (this.#take("&", "&")) {
        if (members.length === 0) this.#fail("an operand of && is empty");
        operands.push(union(members));
        members = [];
        continue;
      }
      const character = this.#next();
      if (character === "]" && count > 0) {
        if (members.length === 0) this.#fail("an operand of && is empty");
        break;
      }
      members.push(this.#member(character, options));
    }
    this.#depth--;
    const whole = intersection([...operands, union(members)]);
    const cased = options.ignoreCase ? withOtherCases(whole) : whole;
    return negative ? not(cased) : cased;
  }

  #member(character: string, options: Options): CharacterSet {
    if (character === "[") {
      const posix = /^:(\^?)([a-z]+):\]/.exec(this.#ahead(20));
      if (!posix) return this.#class(options);
      this.#at += posix[0].length;
      return this.#named(posix[2]!, posix[1] === "^", options.ignoreCase);
    }
    let first = character.codePointAt(0)!;
    if (character === "\\") {
      const escaped = this.#next();
      const shorthand = escaped === "w" ? word : escaped === "W" ? not(word) : this.#shorthand(escaped, options);
      if (shorthand) {
        const rest = this.#ahead(2);
        if (rest[0] === "-" && rest[1] !== "]") this.#fail("a range begins with a class");
        return shorthand;
      }
      first = this.#escapedCodePoint(escaped);
    }
    const rest = this.#ahead(3);
    if (rest[0] !== "-" || rest[1] === "]" || rest === "-&&" || rest.length < 2)
      return this.#range(first, first, options);
    this.#at++;
    let end = this.#next();
    if (end === "[") this.#fail("a range ends with a class");
    let last = end.codePointAt(0)!;
    if (end === "\\") {
      end = this.#next();
      if (end === "w" || end === "W" || this.#shorthand(end, options)) this.#fail("a range ends with a class");
      last = this.#escapedCodePoint(end);
    }
    if (last < first) this.#fail("a range is empty");
    return this.#range(first, last, options);
  }

  #range(first: number, last: number, { ignoreCase }: Options): CharacterSet {
    // A letter that is two in another case matches these.
    if (ignoreCase && last > 127) this.#fail("a class beyond ASCII is not understood where case is ignored");
    return range(first, last);
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  /** Some of the characters that follow. */
  #ahead(count: number): string {
    return this.#characters.slice(this.#at, this.#at + count).join("");
  }

  #next(): string {
    return this.#characters[this.#at++] ?? this.#fail("it ends too early");
  }

  #take(...wanted: string[]): boolean {
    if (!wanted.every((character, index) => this.#characters[this.#at + index] === character)) return false;
    this.#at += wanted.length;
    return true;
  }

  #fail(fault: string): never {
    throw new PatternSyntaxError(fault);
  }
}

const set = (members: CharacterSet): Node => ({ type: "set", set: members });
