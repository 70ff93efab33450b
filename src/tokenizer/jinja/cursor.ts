/** A place in a template's tokens, and what is expected there. */
import { failure, type Token } from "./lexer.ts";

/** Runtimes differ in how deep they recurse before the stack overflows; Python goes 70 parentheses deep. */
const DEEPEST = 100;

export class Cursor {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #place = 0;
  #depth = 0;

  constructor(source: string, tokens: readonly Token[]) {
    this.#source = source;
    this.#tokens = tokens;
  }

  protected get current(): Token {
    return this.#tokens[this.#place]!;
  }

  protected get following(): Token | undefined {
    return this.#tokens[this.#place + 1];
  }

  protected next(): Token {
    const token = this.current;
    if (token.type !== "end") this.#place++;
    return token;
  }

  protected fail(fault: string): never {
    throw failure(fault, this.#source, this.current.offset);
  }

  protected expect(type: string): Token {
    const { current } = this;
    if (current.type !== type)
      this.fail(`expected ${readable(type)}, got ${current.text ? `'${current.text}'` : readable(current.type)}`);
    return this.next();
  }

  protected skip(type: string): boolean {
    const isThere = this.current.type === type;
    if (isThere) this.next();
    return isThere;
  }

  protected isName(name: string, token: Token | undefined = this.current): boolean {
    return token?.type === "name" && token.text === name;
  }

  protected skipName(name: string): boolean {
    const isThere = this.isName(name);
    if (isThere) this.next();
    return isThere;
  }

  /** What stands up to a closing token, with commas between, one of which may be the last. */
  protected list<T>(close: string, parse: () => T): T[] {
    const items: T[] = [];
    while (this.current.type !== close) {
      if (items.length > 0) this.expect(",");
      if (this.current.type === close) break;
      items.push(parse());
    }
    return items;
  }

  /** Parses something inside something. @throws Fault when it is too deep */
  protected deeper<T>(parse: () => T): T {
    if (++this.#depth > DEEPEST) this.fail(`it nests more than ${DEEPEST} deep`);
    const result = parse();
    this.#depth--;
    return result;
  }
}

const readable = (type: string) => type.replace(/^(block|variable)_(\w+)$/, "$2 of $1");
