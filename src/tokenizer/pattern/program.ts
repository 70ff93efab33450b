/** Turns the tree of a regular expression into instructions for the matcher. */
import { type CharacterSet, union } from "./sets.ts";
import { type Assertion, type Node, PatternSyntaxError } from "./syntax.ts";

/** Instructions: a number for what to do, then its operands. */
export const Operation = {
  /** the expression, or the look-around or atomic group that began last, has matched */
  match: 0,
  /** one character: set */
  set: 1,
  /** tries one way and then the other: first, second */
  split: 2,
  /** goes on elsewhere: target */
  jump: 3,
  /** as many characters of a set as there are: set, least, most (-1 for any number), whether none is given back */
  repeat: 4,
  /** what follows up to `match` must, or must not, come next: negative, end */
  lookAhead: 5,
  /** what follows up to `match` must, or must not, have come: negative, end, characters to step back */
  lookBehind: 6,
  /** what follows up to `match` is never tried another way: end */
  atomic: 7,
  /** assertion's number */
  assertion: 8,
} as const;

const assertions: readonly Assertion[] = [
  "line-start",
  "line-end",
  "start",
  "end",
  "end-or-newline",
  "word",
  "no-word",
];
/** The numbers of the assertions. */
export const AssertionNumber = Object.fromEntries(assertions.map((kind, index) => [kind, index])) as Record<
  Assertion,
  number
>;

/** An expression, ready to be matched. */
export interface Program {
  readonly code: Int32Array;
  /** what the numbers of sets stand for; at most 31 */
  readonly sets: readonly CharacterSet[];
  /** Number of the set of characters that a match can begin with; -1 when it can be empty or begin with anything. */
  readonly first: number;
  /** Characters before a match that can decide on it. */
  readonly lookBehind: number;
  readonly mayBeEmpty: boolean;
}

const mostInstructions = 20_000;
const mostSets = 31;

/** @throws PatternSyntaxError when it becomes too large, or looks behind or repeats in a way that is not understood */
export function compile(tree: Node): Program {
  return new Compiler().compile(tree);
}

class Compiler {
  readonly #code: number[] = [];
  readonly #sets: CharacterSet[] = [];
  #lookBehind = 0;

  compile(tree: Node): Program {
    this.#emit(tree);
    this.#push(Operation.match);
    const mayBeEmpty = isEmptiable(tree);
    const first = mayBeEmpty ? undefined : firstOf(tree);
    return {
      code: Int32Array.from(this.#code),
      first: first ? this.#set(first) : -1,
      sets: this.#sets,
      lookBehind: this.#lookBehind,
      mayBeEmpty,
    };
  }

  #push(...words: number[]): number {
    const at = this.#code.length;
    this.#code.push(...words);
    if (this.#code.length > mostInstructions)
      throw new PatternSyntaxError("it is too large when its repeats are written out");
    return at;
  }

  #set(set: CharacterSet): number {
    const known = this.#sets.indexOf(set);
    if (known >= 0) return known;
    if (this.#sets.length === mostSets)
      throw new PatternSyntaxError(`it has more than ${mostSets - 1} different classes`);
    return this.#sets.push(set) - 1;
  }

  #emit(node: Node): void {
    switch (node.type) {
      case "set":
        this.#push(Operation.set, this.#set(node.set));
        break;
      case "sequence":
        for (const part of node.nodes) this.#emit(part);
        break;
      case "alternatives":
        this.#alternatives(node.nodes.map((part) => () => this.#emit(part)));
        break;
      case "repeat":
        this.#repeat(node);
        break;
      case "look":
        if (node.behind) this.#lookBehindOf(node);
        else this.#enclosed(node.node, Operation.lookAhead, Number(node.negative));
        break;
      case "atomic":
        this.#enclosed(node.node, Operation.atomic);
        break;
      case "assertion":
        if (node.kind !== "end" && node.kind !== "end-or-newline" && node.kind !== "line-end")
          this.#lookBehind = Math.max(this.#lookBehind, 1);
        this.#push(Operation.assertion, AssertionNumber[node.kind]);
        break;
    }
  }

  #alternatives(parts: readonly (() => void)[]): void {
    const ends: number[] = [];
    for (const [index, emit] of parts.entries()) {
      if (index === parts.length - 1) {
        emit();
        break;
      }
      const split = this.#push(Operation.split, 0, 0);
      this.#code[split + 1] = this.#code.length;
      emit();
      ends.push(this.#push(Operation.jump, 0));
      this.#code[split + 2] = this.#code.length;
    }
    for (const end of ends) this.#code[end + 1] = this.#code.length;
  }

  /** An operation with a body of its own: `operation, ...operands, end, body, match`. */
  #enclosed(body: Node, operation: number, ...operands: number[]): void {
    const at = this.#push(operation, ...operands, 0);
    const end = at + operands.length + 1;
    this.#emit(body);
    this.#push(Operation.match);
    this.#code[end] = this.#code.length;
  }

  #lookBehindOf({ node, negative }: Node & { type: "look" }): void {
    const parts = node.type === "alternatives" ? node.nodes : [node];
    const one = (part: Node) => {
      const length = fixedLength(part);
      this.#lookBehind = Math.max(this.#lookBehind, length);
      const at = this.#push(Operation.lookBehind, Number(negative), 0, length);
      this.#emit(part);
      this.#push(Operation.match);
      this.#code[at + 2] = this.#code.length;
    };
    // None of them must have come, or one of them.
    if (negative) for (const part of parts) one(part);
    else this.#alternatives(parts.map((part) => () => one(part)));
  }

  #repeat({ node, min, max, mode }: Node & { type: "repeat" }): void {
    if (node.type === "set" && mode !== "lazy") {
      const most = max === Infinity ? -1 : max;
      this.#push(Operation.repeat, this.#set(node.set), min, most, Number(mode === "possessive"));
      return;
    }
    if (mode === "possessive") {
      this.#enclosed({ type: "repeat", node, min, max, mode: "greedy" }, Operation.atomic);
      return;
    }
    for (let count = 0; count < min; count++) this.#emit(node);
    const branch = () => {
      const split = this.#push(Operation.split, 0, 0);
      const [inside, outside] = mode === "greedy" ? [split + 1, split + 2] : [split + 2, split + 1];
      this.#code[inside] = this.#code.length;
      return outside;
    };
    if (max === Infinity) {
      if (isEmptiable(node)) throw new PatternSyntaxError("what is repeated without end can be empty");
      const start = this.#code.length;
      const outside = branch();
      this.#emit(node);
      this.#push(Operation.jump, start);
      this.#code[outside] = this.#code.length;
      return;
    }
    const outsides: number[] = [];
    for (let count = min; count < max; count++) {
      outsides.push(branch());
      this.#emit(node);
    }
    for (const outside of outsides) this.#code[outside] = this.#code.length;
  }
}

/** Whether a part can match without taking a character. */
function isEmptiable(node: Node): boolean {
  switch (node.type) {
    case "set":
      return false;
    case "sequence":
      return node.nodes.every(isEmptiable);
    case "alternatives":
      return node.nodes.some(isEmptiable);
    case "repeat":
      return node.min === 0 || isEmptiable(node.node);
    case "atomic":
      return isEmptiable(node.node);
    default:
      return true;
  }
}

/** The characters that a part which is never empty can begin with. */
function firstOf(node: Node): CharacterSet | undefined {
  switch (node.type) {
    case "set":
      return node.set;
    case "repeat":
    case "atomic":
      return firstOf(node.node);
    case "alternatives": {
      const sets = node.nodes.map(firstOf);
      return sets.every((set) => set !== undefined) ? union(sets) : undefined;
    }
    case "sequence": {
      const sets: CharacterSet[] = [];
      for (const part of node.nodes) {
        // What takes no character only forbids some.
        if (part.type === "look" || part.type === "assertion") continue;
        const set = firstOf(part);
        if (set) sets.push(set);
        if (!isEmptiable(part)) return set && union(sets);
        if (!set) return undefined;
      }
      return undefined;
    }
    default:
      return undefined;
  }
}

/** Characters that a part takes, whatever they are. @throws PatternSyntaxError when that varies */
function fixedLength(node: Node): number {
  const fail = (): never => {
    throw new PatternSyntaxError("it looks behind for what has no fixed length");
  };
  switch (node.type) {
    case "set":
      return 1;
    case "sequence":
      return node.nodes.reduce((sum, part) => sum + fixedLength(part), 0);
    case "alternatives": {
      const lengths = node.nodes.map(fixedLength);
      return lengths.every((length) => length === lengths[0]) ? lengths[0]! : fail();
    }
    case "repeat":
      return node.min === node.max ? node.min * fixedLength(node.node) : fail();
    case "atomic":
      return fixedLength(node.node);
    default:
      return fail();
  }
}
