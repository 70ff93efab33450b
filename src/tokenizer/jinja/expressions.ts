/** Templates as Jinja reads them: expressions. */
import { type Arguments, type Expression, Names, type Target } from "./ast.ts";
import { failure, type Token } from "./lexer.ts";

/** Runtimes differ in how deep they recurse before the stack overflows; Python goes 70 parentheses deep. */
const DEEPEST = 100;

const constants: Record<string, boolean | null> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};

export class ExpressionParser {
  /** The scope whose names are parsed. */
  protected scope = new Names(undefined);
  /** Names with a meaning in macros that were read. */
  protected specialNames = new Set<string>();
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

  protected next(): Token {
    const token = this.current;
    if (token.type !== "end") this.#place++;
    return token;
  }

  protected fail(fault: string): never {
    throw failure(fault, this.#source, this.current.offset);
  }

  protected expect(type: string): Token {
    if (this.current.type !== type)
      this.fail(
        `expected ${readable(type)}, got ${this.current.text ? `'${this.current.text}'` : readable(this.current.type)}`,
      );
    return this.next();
  }

  protected skip(type: string): boolean {
    const isThere = this.current.type === type;
    if (isThere) this.next();
    return isThere;
  }

  #isName(name: string, token = this.current): boolean {
    return token.type === "name" && token.text === name;
  }

  protected skipName(name: string): boolean {
    const isThere = this.#isName(name);
    if (isThere) this.next();
    return isThere;
  }

  protected expectName(name: string): void {
    if (!this.skipName(name)) this.fail(`expected '${name}'`);
  }

  /** Parses something inside something. @throws Fault when it is too deep */
  protected deeper<T>(parse: () => T): T {
    if (++this.#depth > DEEPEST) this.fail(`it nests more than ${DEEPEST} deep`);
    const result = parse();
    this.#depth--;
    return result;
  }

  /** Notes that a name is read. */
  protected read(name: string): void {
    this.scope.read(name);
    if (name === "caller" || name === "kwargs" || name === "varargs") this.specialNames.add(name);
  }

  /** Something to assign to. @param ends names that end it */
  protected target(ends: readonly string[], withAttributes: boolean): Target {
    const one = (): Target => {
      if (this.skip("(")) {
        const inner = this.deeper(() => this.target([], withAttributes));
        this.expect(")");
        return inner;
      }
      const { text: name } = this.expect("name");
      if (Object.hasOwn(constants, name)) this.fail(`can't assign to '${name}'`);
      if (withAttributes && this.skip(".")) return { type: "attribute", name, attribute: this.expect("name").text };
      return { type: "name", name };
    };
    const items: Target[] = [];
    let isTuple = false;
    while (!this.#isTupleEnd(ends) && this.current.type !== "=") {
      items.push(one());
      if (!this.skip(",")) break;
      isTuple = true;
    }
    if (items.length === 0) this.fail("expected a name to assign to");
    return isTuple ? { type: "tuple", items } : items[0]!;
  }

  #isTupleEnd(ends: readonly string[]): boolean {
    const { type, text } = this.current;
    return ["variable_end", "block_end", ")", "end"].includes(type) || (type === "name" && ends.includes(text));
  }

  /** An expression, or several with commas between them. */
  protected tuple(withCondition = true, ends: readonly string[] = [], inParentheses = false): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    while (!this.#isTupleEnd(ends)) {
      items.push(this.expression(withCondition));
      if (!this.skip(",")) break;
      isTuple = true;
    }
    if (!isTuple && items.length === 1) return items[0]!;
    if (items.length === 0 && !inParentheses) this.fail("expected an expression");
    return { type: "tuple", items };
  }

  /** An expression. @param withCondition whether it may be `a if b else c` */
  protected expression(withCondition = true): Expression {
    return this.deeper(() => (withCondition ? this.#conditional() : this.#or()));
  }

  #conditional(): Expression {
    let node = this.#or();
    while (this.skipName("if")) {
      const test = this.#or();
      const otherwise = this.skipName("else") ? this.deeper(() => this.#conditional()) : undefined;
      node = { type: "conditional", test, consequent: node, otherwise };
    }
    return node;
  }

  #many(type: "or" | "and", parse: () => Expression): Expression {
    const nodes = [parse()];
    while (this.skipName(type)) nodes.push(parse());
    return nodes.length === 1 ? nodes[0]! : { type, nodes };
  }

  #or(): Expression {
    return this.#many("or", () => this.#many("and", () => this.#not()));
  }

  #not(): Expression {
    if (!this.skipName("not")) return this.#comparison();
    return { type: "not", nodes: [this.deeper(() => this.#not())] };
  }

  #comparison(): Expression {
    const first = this.#sum();
    const rest: [string, Expression][] = [];
    for (;;) {
      const { type } = this.current;
      if (["==", "!=", "<", "<=", ">", ">="].includes(type)) rest.push([this.next().type, this.#sum()]);
      else if (this.skipName("in")) rest.push(["in", this.#sum()]);
      else if (this.#isName("not") && this.#isName("in", this.#tokens[this.#place + 1])) {
        this.#place += 2;
        rest.push(["not in", this.#sum()]);
      } else return rest.length === 0 ? first : { type: "comparison", first, rest };
    }
  }

  #binary(operators: readonly string[], parse: () => Expression): Expression {
    let left = parse();
    while (operators.includes(this.current.type)) {
      const operator = this.next().type;
      left = { type: "binary", operator, left, right: parse() };
    }
    return left;
  }

  #sum(): Expression {
    return this.#binary(["+", "-"], () => this.#concatenation());
  }

  #concatenation(): Expression {
    const nodes = [this.#product()];
    while (this.skip("~")) nodes.push(this.#product());
    return nodes.length === 1 ? nodes[0]! : { type: "concatenation", nodes };
  }

  #product(): Expression {
    return this.#binary(["*", "/", "//", "%"], () => this.#binary(["**"], () => this.#unary(true)));
  }

  #unary(withFilters: boolean): Expression {
    const { type } = this.current;
    let node: Expression;
    if (type === "-" || type === "+") {
      this.next();
      node = { type: "sign", operator: type, node: this.deeper(() => this.#unary(false)) };
    } else node = this.#primary();
    node = this.#postfix(node);
    return withFilters ? this.#filtersAndTests(node) : node;
  }

  #primary(): Expression {
    const token = this.next();
    switch (token.type) {
      case "name":
        if (Object.hasOwn(constants, token.text)) return { type: "constant", value: constants[token.text]! };
        this.read(token.text);
        return { type: "name", name: token.text };
      case "string": {
        const texts = [token.value as string];
        while (this.current.type === "string") texts.push(this.next().value as string);
        return { type: "constant", value: texts.join("") };
      }
      case "integer":
      case "float":
        return { type: "constant", value: token.value };
      case "(": {
        const node = this.deeper(() => this.tuple(true, [], true));
        this.expect(")");
        return node;
      }
      case "[":
        return { type: "list", items: this.#list("]", () => this.expression()) };
      case "{":
        return {
          type: "dict",
          entries: this.#list("}", () => {
            const key = this.expression();
            this.expect(":");
            return [key, this.expression()] as const;
          }),
        };
    }
    this.#place -= token.type === "end" ? 0 : 1;
    return this.fail(`unexpected ${token.text ? `'${token.text}'` : readable(token.type)}`);
  }

  /** What stands up to a closing bracket, with commas between, one of which may be the last. */
  #list<T>(close: string, parse: () => T): T[] {
    const items: T[] = [];
    while (this.current.type !== close) {
      if (items.length > 0) this.expect(",");
      if (this.current.type === close) break;
      items.push(parse());
    }
    this.expect(close);
    return items;
  }

  #postfix(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.skip(".")) {
        const token = this.next();
        if (token.type === "name") node = { type: "attribute", node, name: token.text };
        else if (token.type === "integer") node = { type: "item", node, key: { type: "constant", value: token.value } };
        else return this.fail("expected name or number");
      } else if (this.skip("[")) node = this.#subscript(node);
      else if (this.current.type === "(") node = { type: "call", node, given: this.#arguments() };
      else return node;
    }
  }

  #subscript(node: Expression): Expression {
    const bound = () => ([":", "]", ","].includes(this.current.type) ? undefined : this.expression());
    const first = bound();
    if (this.skip(":")) {
      const stop = bound();
      const step = this.skip(":") ? bound() : undefined;
      this.expect("]");
      return { type: "slice", node, bounds: [first, stop, step] };
    }
    const keys = first === undefined ? [] : [first];
    while (this.skip(",")) if (this.current.type !== "]") keys.push(this.expression());
    if (this.current.type === ":") this.fail("several slices in one subscript are not supported");
    this.expect("]");
    return { type: "item", node, key: keys.length === 1 ? keys[0]! : { type: "tuple", items: keys } };
  }

  #arguments(): Arguments {
    this.expect("(");
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let rest: Expression | undefined;
    let namedRest: Expression | undefined;
    const ensure = (isRight: boolean) => isRight || this.fail("invalid syntax for function call expression");
    this.#list(")", () => {
      if (this.skip("*")) {
        ensure(!rest && !namedRest);
        rest = this.expression();
      } else if (this.skip("**")) {
        ensure(!namedRest);
        namedRest = this.expression();
      } else if (this.current.type === "name" && this.#tokens[this.#place + 1]!.type === "=") {
        ensure(!namedRest);
        const name = this.next().text;
        this.next();
        if (named.some(([other]) => other === name)) this.fail(`keyword argument repeated: ${name}`);
        named.push([name, this.expression()]);
      } else {
        ensure(!rest && !namedRest && named.length === 0);
        positional.push(this.expression());
      }
    });
    return { positional, named, rest, namedRest };
  }

  /** The dotted name of a filter or test. */
  #dotted(): string {
    let { text: name } = this.expect("name");
    while (this.skip(".")) name += `.${this.expect("name").text}`;
    return name;
  }

  #given(): Arguments {
    return this.current.type === "("
      ? this.#arguments()
      : { positional: [], named: [], rest: undefined, namedRest: undefined };
  }

  /** Filters behind a node. @param isInline whether the first has no | before it */
  protected filters(start: Expression, isInline: boolean): Expression {
    let node = start;
    for (let inline = isInline; inline || this.current.type === "|"; inline = false) {
      if (!inline) this.next();
      const name = this.#dotted();
      node = { type: "filter", node, name, given: this.#given() };
    }
    return node;
  }

  #filtersAndTests(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.current.type === "|") node = this.filters(node, false);
      else if (this.skipName("is")) node = this.#test(node);
      else if (this.current.type === "(") node = { type: "call", node, given: this.#arguments() };
      else return node;
    }
  }

  #test(node: Expression): Expression {
    const isNegated = this.skipName("not");
    const name = this.#dotted();
    const { type } = this.current;
    let given = this.#given();
    const begins = ["name", "string", "integer", "float", "[", "{"].includes(type);
    if (begins && !["else", "or", "and"].some((one) => this.#isName(one))) {
      if (this.#isName("is")) this.fail("you cannot chain multiple tests with is");
      given = { ...given, positional: [this.#postfix(this.#primary())] };
    }
    const test: Expression = { type: "test", node, name, given };
    return isNegated ? { type: "not", nodes: [test] } : test;
  }
}

const readable = (type: string) => type.replace("_", " of ").replace(/^(block|variable) of (\w+)$/, "$2 of $1");
