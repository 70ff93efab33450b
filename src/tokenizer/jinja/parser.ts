/** Templates, read as Jinja reads them and made into functions that write them. */
import type { Budget } from "./budget.ts";
import { constants, type Evaluate, ExpressionParser } from "./expressions.ts";
import { Fault } from "./faults.ts";
import { iterate, listOf } from "./iterate.ts";
import { normalised, tokenize } from "./lexer.ts";
import { Loop } from "./loop.ts";
import { Names, Scope } from "./scope.ts";
import { str } from "./text.ts";
import { Callable, Dict, isTrue, Namespace, Tuple, Undefined, type Value } from "./values.ts";

/** Writes a template, given its variables. @throws Fault as Python would raise, Refusal when the template refuses */
export type Program = (given: ReadonlyMap<string, Value>, budget: Budget) => string;

/** Why statements end before their last. */
type Signal = "break" | "continue" | undefined;

/** Runs a statement, or several. */
type Execute = (scope: Scope, output: string[]) => Signal;

/** What is assigned to: a name, an attribute of a namespace, or several of these. */
interface Target {
  readonly names: readonly string[];
  assign(scope: Scope, value: Value): void;
}

/** A parameter of a macro, and its value where none is given. */
interface Parameter {
  readonly name: string;
  readonly otherwise: Evaluate | undefined;
}

/** Statements that Jinja knows and that need other templates or change how values are written. */
const unsupported = ["autoescape", "block", "extends", "from", "import", "include", "print"];

/** @throws Fault for what is no template, or nests too deep */
export function parse(source: string): Program {
  const text = normalised(source);
  return new Parser(text, tokenize(text)).parse();
}

function write(value: Value, scope: Scope, output: string[]): void {
  const text = str(value, scope.budget);
  scope.budget.piece(text);
  output.push(text);
}

/** The output of statements as one text. */
function captured(body: Execute, scope: Scope): [text: string, signal: Signal] {
  const output: string[] = [];
  const signal = body(scope, output);
  const text = output.join("");
  scope.budget.characters(text.length);
  return [text, signal];
}

class Parser extends ExpressionParser {
  /** Loops around this place that `break` would leave. */
  #loops = 0;

  parse(): Program {
    const { names } = this;
    const body = this.#statements([]);
    return (given, budget) => captured(body, new Scope(names, given, budget))[0];
  }

  /** Statements up to one of the given tags, whose name is the current token then. */
  #statements(ends: readonly string[]): Execute {
    const body: Execute[] = [];
    this.deeper(() => {
      for (;;) {
        const { type, text } = this.next();
        if (type === "data")
          body.push((scope, output) => {
            scope.budget.piece(text);
            output.push(text);
            return undefined;
          });
        else if (type === "variable_begin") {
          const value = this.tuple();
          this.expect("variable_end");
          body.push((scope, output) => void write(value(scope), scope, output));
        } else if (type === "block_begin") {
          if (this.current.type === "name" && ends.includes(this.current.text)) return;
          body.push(this.#statement());
          this.expect("block_end");
        } else if (ends.length === 0) return;
        else this.fail(`unexpected end of template, expected ${ends.join(" or ")}`);
      }
    });
    return (scope, output) => {
      const { budget } = scope;
      budget.enter();
      let signal: Signal;
      for (const statement of body) {
        budget.step();
        signal = statement(scope, output);
        if (signal) break;
      }
      budget.leave();
      return signal;
    };
  }

  /** The body of a statement, up to one of the given tags, which is passed. @returns the tag too */
  #body(...ends: string[]): [body: Execute, end: string] {
    this.skip(":");
    this.expect("block_end");
    return [this.#statements(ends), this.next().text];
  }

  /** Parses what has variables of its own. */
  #scoped<T>(names: Names, parse: () => T): T {
    const outer = this.names;
    this.names = names;
    const result = parse();
    this.names = outer;
    return result;
  }

  #statement(): Execute {
    const { text } = this.expect("name");
    switch (text) {
      case "for":
        return this.#for();
      case "if":
        return this.#if();
      case "set":
        return this.#set();
      case "macro": {
        const { text: name } = this.expect("name");
        this.names.set(name);
        const macro = this.#macro(name, "endmacro", true);
        return (scope) => void scope.set(name, macro(scope));
      }
      case "call":
        return this.#callBlock();
      case "generation": {
        const macro = this.#macro("caller", "endgeneration", false);
        return (scope, output) => void write(macro(scope).call([], new Map()), scope, output);
      }
      case "filter": {
        const apply = this.filterChain();
        const names = new Names(this.names);
        const [body] = this.#scoped(names, () => this.#body("endfilter"));
        return (scope, output) => {
          const inner = scope.inner(names);
          const [written, signal] = captured(body, inner);
          if (!signal) write(apply(written, inner), scope, output);
          return signal;
        };
      }
      case "with":
        return this.#with();
      case "break":
      case "continue":
        if (this.#loops === 0) return this.fail(`'${text}' outside loop`);
        return () => text;
    }
    return this.fail(
      unsupported.includes(text) ? `the tag '${text}' is not supported` : `encountered unknown tag '${text}'`,
    );
  }

  /** Something to assign to. @param isEnd whether a tuple without parentheses ends */
  #target(withAttributes: boolean, isEnd = () => this.current.type === "="): Target {
    const one = (): Target => {
      if (this.skip("(")) {
        const inner = this.deeper(() => this.#target(withAttributes, () => this.current.type === ")"));
        this.expect(")");
        return inner;
      }
      const { text: name } = this.expect("name");
      if (constants.has(name)) this.fail(`can't assign to '${name}'`);
      if (!withAttributes || !this.skip("."))
        return { names: [name], assign: (scope, value) => scope.set(name, value) };
      const { text: attribute } = this.expect("name");
      this.names.read(name);
      const assign = (scope: Scope, value: Value) => {
        const namespace = scope.lookup(name);
        if (!(namespace instanceof Namespace)) throw new Fault("cannot assign attribute on non-namespace object");
        namespace.set(attribute, value);
      };
      return { names: [], assign };
    };
    const targets = [one()];
    let isTuple = false;
    while (this.skip(",")) {
      isTuple = true;
      if (isEnd() || this.current.type === "block_end") break;
      targets.push(one());
    }
    if (!isTuple) return targets[0]!;
    const assign = (scope: Scope, value: Value) => {
      const items = listOf(value, scope.budget);
      if (items.length !== targets.length)
        throw new Fault(
          items.length < targets.length
            ? `not enough values to unpack (expected ${targets.length}, got ${items.length})`
            : `too many values to unpack (expected ${targets.length})`,
        );
      for (const [index, target] of targets.entries()) target.assign(scope, items[index]!);
    };
    return { names: targets.flatMap(({ names }) => names), assign };
  }

  #for(): Execute {
    const target = this.#target(false, () => this.isName("in"));
    if (!this.skipName("in")) this.fail("expected 'in'");
    const source = this.tuple(false);
    const testNames = new Names(this.names, target.names);
    const test = this.skipName("if") ? this.#scoped(testNames, () => this.expression()) : undefined;
    if (this.isName("recursive")) this.fail("recursive loops are not supported");
    const names = new Names(this.names, ["loop", ...target.names]);
    this.#loops++;
    const [body, end] = this.#scoped(names, () => this.#body("endfor", "else"));
    this.#loops--;
    const otherNames = new Names(this.names);
    const otherwise = end === "else" ? this.#scoped(otherNames, () => this.#body("endfor")[0]) : undefined;

    function* passing(items: Iterable<Value>, scope: Scope): IterableIterator<Value> {
      const inner = scope.inner(testNames);
      for (const item of items) {
        target.assign(inner, item);
        if (isTrue(test!(inner))) yield item;
      }
    }
    return (scope, output) => {
      const value = source(scope);
      const items = iterate(value, scope.budget);
      const loop = new Loop(test ? passing(items, scope) : items, test ? undefined : value, scope.budget);
      // One scope for all rounds: a macro from one round sees the variables of the last, as in Python.
      const inner = scope.inner(names);
      // Jinja's else belongs to a loop of which no round came to its end.
      let isDone = false;
      for (let item = loop.next(); item !== undefined; item = loop.next()) {
        inner.begin();
        inner.set("loop", loop);
        target.assign(inner, item);
        const signal = body(inner, output);
        isDone ||= signal === undefined;
        if (signal === "break") break;
      }
      return isDone ? undefined : otherwise?.(scope.inner(otherNames), output);
    };
  }

  #if(): Execute {
    const branches: [test: Evaluate, body: Execute][] = [];
    let otherwise: Execute | undefined;
    for (let end = "elif"; end !== "endif"; ) {
      const test = end === "elif" ? this.tuple(false) : undefined;
      const ends = test ? ["elif", "else", "endif"] : ["endif"];
      const [body, next] = this.names.branch(() => this.#body(...ends));
      if (test) branches.push([test, body]);
      else otherwise = body;
      end = next;
    }
    return (scope, output) => {
      const branch = branches.find(([test]) => isTrue(test(scope)));
      return branch ? branch[1](scope, output) : otherwise?.(scope, output);
    };
  }

  #set(): Execute {
    const target = this.#target(true);
    const assigned = () => target.names.forEach((name) => void this.names.set(name));
    if (this.skip("=")) {
      const value = this.tuple();
      assigned();
      return (scope) => void target.assign(scope, value(scope));
    }
    assigned();
    const names = new Names(this.names);
    const [apply, [body]] = this.#scoped(names, () => {
      return [this.skip("|") ? this.filterChain() : undefined, this.#body("endset")] as const;
    });
    return (scope) => {
      const inner = scope.inner(names);
      const [written, signal] = captured(body, inner);
      if (!signal) target.assign(scope, apply ? apply(written, inner) : written);
      return signal;
    };
  }

  #with(): Execute {
    const pairs = this.list("block_end", () => {
      const target = this.#target(false);
      this.expect("=");
      return [target, this.expression()] as const;
    });
    const names = new Names(
      this.names,
      pairs.flatMap(([target]) => target.names),
    );
    const [body] = this.#scoped(names, () => this.#body("endwith"));
    return (scope, output) => {
      const inner = scope.inner(names);
      for (const [target, value] of pairs) target.assign(inner, value(scope));
      return body(inner, output);
    };
  }

  #callBlock(): Execute {
    let call: ((scope: Scope, caller: Callable) => Value) | undefined;
    // The parameters belong to the block, though they stand before the call.
    const macro = this.#macro("caller", "endcall", this.current.type === "(", () => {
      call = this.calls.get(this.expression());
      if (!call) this.fail("expected call");
    });
    return (scope, output) => void write(call!(scope, macro(scope)), scope, output);
  }

  /**
   * The rest of a macro, or of a call's block.
   * @param between parses what stands between the parameters and the body
   * @returns makes the macro in a scope
   */
  #macro(name: string, end: string, hasParameters: boolean, between?: () => void): (scope: Scope) => Callable {
    const names = new Names(this.names);
    const parameters = hasParameters ? this.#scoped(names, () => this.#parameters()) : [];
    between?.();
    const [loops, special] = [this.#loops, this.special];
    this.#loops = 0;
    this.special = new Set();
    const [body] = this.#scoped(names, () => this.#body(end));
    const used = this.special;
    this.#loops = loops;
    // What a macro inside this one uses, this one has to take as well.
    this.special = new Set([...special, ...used]);
    for (const parameter of parameters) used.delete(parameter.name);
    for (const one of used) names.parameter(one);
    return (scope) => {
      scope.budget.objects(8);
      return new Callable((positional, named) => {
        scope.budget.step();
        const inner = scope.inner(names);
        bind(name, parameters, used, positional, named, inner);
        return captured(body, inner)[0];
      });
    };
  }

  #parameters(): Parameter[] {
    this.expect("(");
    const parameters = this.list(")", () => {
      const { text: name } = this.expect("name");
      this.names.parameter(name);
      return { name, otherwise: this.skip("=") ? this.expression() : undefined };
    });
    this.expect(")");
    return parameters;
  }
}

/** Gives a macro its arguments, as Jinja does. @param used which of `caller`, `kwargs` and `varargs` the macro reads */
function bind(
  macro: string,
  parameters: readonly Parameter[],
  used: ReadonlySet<string>,
  positional: readonly Value[],
  named: ReadonlyMap<string, Value>,
  scope: Scope,
): void {
  const left = new Map(named);
  const missing = parameters.filter(({ name }, index) => {
    const value = index < positional.length ? positional[index] : left.get(name);
    if (index >= positional.length) left.delete(name);
    scope.set(name, value === undefined ? new Undefined(() => `parameter '${name}' was not provided`) : value);
    return value === undefined;
  });
  if (used.has("caller")) {
    scope.set("caller", left.get("caller") ?? new Undefined(() => "No caller defined"));
    left.delete("caller");
  }
  if (used.has("kwargs")) scope.set("kwargs", Dict.of(left, scope.budget));
  else if (left.size > 0) throw new Fault(`macro '${macro}' takes no keyword argument '${[...left.keys()][0]}'`);
  if (used.has("varargs")) scope.set("varargs", new Tuple(positional.slice(parameters.length)));
  else if (positional.length > parameters.length)
    throw new Fault(`macro '${macro}' takes not more than ${parameters.length} argument(s)`);
  for (const { name, otherwise } of missing) if (otherwise) scope.set(name, otherwise(scope));
}
