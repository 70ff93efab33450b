/** Expressions of templates, read as Jinja reads them and made into functions that compute their values. */
import { getAttribute, getItem, slice } from "./attributes.ts";
import { compareValues, contains, equals } from "./compare.ts";
import { Cursor } from "./cursor.ts";
import { Fault } from "./faults.ts";
import { filterNamed, testNamed } from "./filters.ts";
import { listOf } from "./iterate.ts";
import { negated, operate } from "./operators.ts";
import { Names, type Scope } from "./scope.ts";
import { str } from "./text.ts";
import { Callable, Dict, isText, isTrue, Tuple, textOf, typeName, Undefined, type Value } from "./values.ts";

/** Computes an expression's value. @throws Fault as Python would raise, Refusal when the template refuses */
export type Evaluate = (scope: Scope) => Value;

/** What a filter or test makes of a value. */
type Apply = (value: Value, scope: Scope) => Value;

/** What a call is given. */
type Arguments = (scope: Scope) => readonly [positional: Value[], named: Map<string, Value>];

/** Names that stand for values. */
export const constants: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);

const orders: Record<string, (order: number) => boolean> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

const noArguments: Arguments = () => [[], new Map()];

/** Every part of an expression is a step, and may lie deep in others. */
const counted =
  (evaluate: Evaluate): Evaluate =>
  (scope) => {
    const { budget } = scope;
    budget.step();
    budget.enter();
    const value = evaluate(scope);
    budget.leave();
    return value;
  };

export class ExpressionParser extends Cursor {
  /** The names of the scope that is parsed. */
  protected names = new Names();
  /** Names with a meaning in macros that were read. */
  protected special = new Set<string>();
  /** Calls, as they can be given the block of a `call` statement. */
  protected readonly calls = new WeakMap<Evaluate, (scope: Scope, caller: Callable) => Value>();

  /** An expression, or several with commas between them. @param withCondition whether one may be `a if b else c` */
  protected tuple(withCondition = true, inParentheses = false): Evaluate {
    const items: Evaluate[] = [];
    let isTuple = false;
    while (!["variable_end", "block_end", ")"].includes(this.current.type)) {
      items.push(this.expression(withCondition));
      if (!this.skip(",")) break;
      isTuple = true;
    }
    if (!isTuple && items.length === 1) return items[0]!;
    if (items.length === 0 && !inParentheses) this.fail("expected an expression");
    return counted((scope) => {
      scope.budget.slots(items.length);
      return new Tuple(items.map((item) => item(scope)));
    });
  }

  /** An expression. @param withCondition whether it may be `a if b else c` */
  protected expression(withCondition = true): Evaluate {
    return this.deeper(() => (withCondition ? this.#conditional() : this.#or()));
  }

  #conditional(): Evaluate {
    let node = this.#or();
    while (this.skipName("if")) {
      const consequent = node;
      const test = this.#or();
      const otherwise = this.skipName("else")
        ? this.deeper(() => this.#conditional())
        : () => new Undefined(() => "the inline if-expression evaluated to false and no else section was defined.");
      node = counted((scope) => (isTrue(test(scope)) ? consequent(scope) : otherwise(scope)));
    }
    return node;
  }

  #logical(word: "or" | "and", parse: () => Evaluate): Evaluate {
    const nodes = [parse()];
    while (this.skipName(word)) nodes.push(parse());
    if (nodes.length === 1) return nodes[0]!;
    return counted((scope) => {
      let value: Value = null;
      for (const node of nodes) {
        value = node(scope);
        if (isTrue(value) === (word === "or")) break;
      }
      return value;
    });
  }

  #or(): Evaluate {
    return this.#logical("or", () => this.#logical("and", () => this.#not()));
  }

  #not(): Evaluate {
    if (!this.skipName("not")) return this.#comparison();
    const node = this.deeper(() => this.#not());
    return counted((scope) => !isTrue(node(scope)));
  }

  #comparison(): Evaluate {
    const first = this.#sum();
    const rest: [operator: string, node: Evaluate][] = [];
    for (;;) {
      const { type } = this.current;
      if (type === "==" || type === "!=" || orders[type]) rest.push([this.next().type, this.#sum()]);
      else if (this.skipName("in")) rest.push(["in", this.#sum()]);
      else if (this.isName("not") && this.isName("in", this.following)) {
        this.next();
        this.next();
        rest.push(["not in", this.#sum()]);
      } else break;
    }
    if (rest.length === 0) return first;
    return counted((scope) => {
      const { budget } = scope;
      let left = first(scope);
      for (const [operator, node] of rest) {
        const right = node(scope);
        let holds: boolean;
        if (operator === "==" || operator === "!=") holds = equals(left, right, budget) === (operator === "==");
        else if (orders[operator]) holds = orders[operator](compareValues(left, right, budget, operator));
        else holds = contains(right, left, budget) === (operator === "in");
        if (!holds) return false;
        left = right;
      }
      return true;
    });
  }

  #binary(operators: readonly string[], parse: () => Evaluate): Evaluate {
    let node = parse();
    while (operators.includes(this.current.type)) {
      const left = node;
      const operator = this.next().type;
      const right = parse();
      node = counted((scope) => operate(operator, left(scope), right(scope), scope.budget));
    }
    return node;
  }

  #sum(): Evaluate {
    return this.#binary(["+", "-"], () => this.#concatenation());
  }

  #concatenation(): Evaluate {
    const nodes = [this.#product()];
    while (this.skip("~")) nodes.push(this.#product());
    if (nodes.length === 1) return nodes[0]!;
    return counted((scope) => {
      let text = "";
      for (const node of nodes) {
        const piece = str(node(scope), scope.budget);
        scope.budget.fits(text.length + piece.length);
        text += piece;
      }
      return text;
    });
  }

  #product(): Evaluate {
    return this.#binary(["*", "/", "//", "%"], () => this.#binary(["**"], () => this.#unary(true)));
  }

  #unary(withFilters: boolean): Evaluate {
    const { type } = this.current;
    let node: Evaluate;
    if (type === "-" || type === "+") {
      this.next();
      const inner = this.deeper(() => this.#unary(false));
      node = counted((scope) => negated(type, inner(scope)));
    } else node = this.#primary();
    node = this.#postfix(node);
    return withFilters ? this.#filtersAndTests(node) : node;
  }

  #primary(): Evaluate {
    const token = this.next();
    switch (token.type) {
      case "name": {
        const constant = constants.get(token.text);
        if (constant !== undefined) return counted(() => constant);
        return this.variable(token.text);
      }
      case "string": {
        const texts = [token.value as string];
        while (this.current.type === "string") texts.push(this.next().value as string);
        const text = texts.join("");
        return counted(() => text);
      }
      case "integer":
      case "float":
        return counted(() => token.value);
      case "(": {
        const node = this.deeper(() => this.tuple(true, true));
        this.expect(")");
        return node;
      }
      case "[": {
        const items = this.list("]", () => this.expression());
        this.expect("]");
        return counted((scope) => {
          scope.budget.slots(items.length);
          return items.map((item) => item(scope));
        });
      }
      case "{": {
        const entries = this.list("}", () => {
          const key = this.expression();
          this.expect(":");
          return [key, this.expression()] as const;
        });
        this.expect("}");
        return counted((scope) => Dict.of(evaluated(entries, scope), scope.budget));
      }
    }
    return this.fail(`unexpected '${token.text}'`);
  }

  protected variable(name: string): Evaluate {
    this.names.read(name);
    if (name === "caller" || name === "kwargs" || name === "varargs") this.special.add(name);
    return counted((scope) => scope.lookup(name));
  }

  #postfix(start: Evaluate): Evaluate {
    let node = start;
    for (;;) {
      const owner = node;
      if (this.skip(".")) {
        const { type, text, value } = this.next();
        if (type === "name") node = counted((scope) => getAttribute(owner(scope), text, scope.budget));
        else if (type === "integer") node = counted((scope) => getItem(owner(scope), value, scope.budget));
        else return this.fail("expected name or number");
      } else if (this.skip("[")) node = this.#subscript(owner);
      else if (this.current.type === "(") node = this.#call(owner);
      else return node;
    }
  }

  #subscript(owner: Evaluate): Evaluate {
    const bound = () => ([":", "]"].includes(this.current.type) ? undefined : this.expression());
    const first = bound();
    const bounds = [first];
    while (bounds.length < 3 && this.skip(":")) bounds.push(bound());
    if (this.current.type === ",") this.fail("several subscripts are not supported");
    this.expect("]");
    if (bounds.length > 1)
      return counted((scope) => {
        const value = owner(scope);
        return slice(
          value,
          bounds.map((one) => one?.(scope) ?? null),
          scope.budget,
        );
      });
    if (!first) return this.fail("expected an expression");
    return counted((scope) => getItem(owner(scope), first(scope), scope.budget));
  }

  #call(owner: Evaluate): Evaluate {
    const given = this.#arguments();
    const call = (scope: Scope, caller?: Callable) => {
      const callee = owner(scope);
      const [positional, named] = given(scope);
      if (caller) named.set("caller", caller);
      if (callee instanceof Callable) return callee.call(positional, named);
      if (callee instanceof Undefined) return callee.fail();
      throw new Fault(`'${typeName(callee)}' object is not callable`);
    };
    const node = counted((scope) => call(scope));
    this.calls.set(node, call);
    return node;
  }

  #arguments(): Arguments {
    this.expect("(");
    const positional: Evaluate[] = [];
    const named = new Map<string, Evaluate>();
    let rest: Evaluate | undefined;
    let namedRest: Evaluate | undefined;
    const ensure = (isRight: boolean) => isRight || this.fail("invalid syntax for function call expression");
    this.list(")", () => {
      if (this.skip("*")) {
        ensure(!rest && !namedRest);
        rest = this.expression();
      } else if (this.skip("**")) {
        ensure(!namedRest);
        namedRest = this.expression();
      } else if (this.current.type === "name" && this.following?.type === "=") {
        ensure(!namedRest);
        const name = this.next().text;
        this.next();
        if (named.has(name)) this.fail(`keyword argument repeated: ${name}`);
        named.set(name, this.expression());
      } else {
        ensure(!rest && !namedRest && named.size === 0);
        positional.push(this.expression());
      }
    });
    this.expect(")");
    return (scope) => {
      const values = positional.map((node) => node(scope));
      const byName = new Map<string, Value>();
      for (const [name, node] of named) byName.set(name, node(scope));
      // One by one: a runtime's own calls take no such number of arguments.
      if (rest) for (const value of listOf(rest(scope), scope.budget)) values.push(value);
      if (namedRest) {
        const dict = namedRest(scope);
        if (!(dict instanceof Dict)) throw new Fault(`argument after ** must be a mapping, not ${typeName(dict)}`);
        scope.budget.objects(2 * dict.size);
        for (const [key, value] of dict.entries()) {
          if (!isText(key)) throw new Fault("keywords must be strings");
          if (byName.has(textOf(key))) throw new Fault(`got multiple values for keyword argument '${textOf(key)}'`);
          byName.set(textOf(key), value);
        }
      }
      return [values, byName];
    };
  }

  #given(): Arguments {
    return this.current.type === "(" ? this.#arguments() : noArguments;
  }

  /** The dotted name of a filter or test. */
  #dotted(): string {
    let { text: name } = this.expect("name");
    while (this.skip(".")) name += `.${this.expect("name").text}`;
    return name;
  }

  /** Filters one behind the other, of which the first has no | before it. */
  protected filterChain(): Apply {
    const chain: Apply[] = [];
    do {
      const name = this.#dotted();
      const given = this.#given();
      chain.push((value, scope) => filterNamed(name)(value, ...given(scope), scope.budget));
    } while (this.skip("|"));
    return (value, scope) => chain.reduce((result, apply) => apply(result, scope), value);
  }

  #filtersAndTests(start: Evaluate): Evaluate {
    let node = start;
    for (;;) {
      const owner = node;
      if (this.skip("|")) {
        const apply = this.filterChain();
        node = counted((scope) => apply(owner(scope), scope));
      } else if (this.skipName("is")) node = this.#test(owner);
      else if (this.current.type === "(") node = this.#call(owner);
      else return node;
    }
  }

  #test(owner: Evaluate): Evaluate {
    const isNegated = this.skipName("not");
    const name = this.#dotted();
    let given = noArguments;
    const { type } = this.current;
    if (type === "(") given = this.#arguments();
    else if (["name", "string", "integer", "float", "[", "{"].includes(type) && !this.#isJoint()) {
      if (this.isName("is")) this.fail("you cannot chain multiple tests with is");
      const argument = this.#postfix(this.#primary());
      given = (scope) => [[argument(scope)], new Map()];
    }
    return counted((scope) => {
      const test = testNamed(name);
      return isTrue(test(owner(scope), ...given(scope), scope.budget)) !== isNegated;
    });
  }

  /** Whether what is next cannot be a test's argument. */
  #isJoint(): boolean {
    return ["else", "or", "and"].some((name) => this.isName(name));
  }
}

function* evaluated(entries: readonly (readonly [Evaluate, Evaluate])[], scope: Scope): Iterable<[Value, Value]> {
  for (const [key, value] of entries) yield [key(scope), value(scope)];
}
