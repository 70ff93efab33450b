/** Runs a parsed template: statements. */
import { blockText, type Expression, type MacroNode, type Statement, type Target } from "./ast.ts";
import { ExpressionInterpreter } from "./evaluate.ts";
import { Frame } from "./frame.ts";
import { iterate, listOf } from "./iterate.ts";
import { LoopState } from "./loop.ts";
import type { Program } from "./parser.ts";
import { str } from "./text.ts";
import { Callable, Dict, Fault, isTrue, type Named, Namespace, Tuple, Undefined, type Value } from "./values.ts";

/** How a list of statements ends. */
type Signal = "break" | "continue" | undefined;

export class Interpreter extends ExpressionInterpreter {
  /** @returns the template's output @throws Fault as Python would raise, Refusal when the template refuses */
  run({ body, scope }: Program): string {
    const output: string[] = [];
    this.#execute(body, new Frame(undefined, scope), output);
    return output.join("");
  }

  #write(value: Value, output: string[]): void {
    const text = str(value, this.budget);
    this.budget.piece(text);
    output.push(text);
  }

  /** The output of statements as one text. */
  #captured(body: readonly Statement[], frame: Frame): [text: string, signal: Signal] {
    const output: string[] = [];
    const signal = this.#execute(body, frame, output);
    const text = output.join("");
    this.budget.characters(text.length);
    return [text, signal];
  }

  #execute(body: readonly Statement[], frame: Frame, output: string[]): Signal {
    this.budget.enter();
    let signal: Signal;
    for (const statement of body) {
      this.budget.step();
      signal = this.#statement(statement, frame, output);
      if (signal) break;
    }
    this.budget.leave();
    return signal;
  }

  #statement(statement: Statement, frame: Frame, output: string[]): Signal {
    switch (statement.type) {
      case "output":
        for (const node of statement.nodes) this.#write(this.evaluate(node, frame), output);
        return undefined;
      case "if": {
        for (const [test, body] of statement.branches)
          if (isTrue(this.evaluate(test, frame))) return this.#execute(body, frame, output);
        return this.#execute(statement.otherwise, frame, output);
      }
      case "for": {
        const source = this.evaluate(statement.source, frame);
        if (!statement.isRecursive) return this.#loop(statement, source, frame, output, 0, undefined);
        const recurse = (items: Value, depth: number): Value => {
          const inner: string[] = [];
          this.budget.enter();
          this.#loop(statement, items, frame, inner, depth, recurse);
          this.budget.leave();
          return inner.join("");
        };
        this.#write(recurse(source, 0), output);
        return undefined;
      }
      case "set":
        this.#checkNamespaces(statement.target, frame);
        this.#assign(statement.target, this.evaluate(statement.value, frame), frame);
        return undefined;
      case "setBlock": {
        const inner = new Frame(frame, statement.scope);
        const [text, signal] = this.#captured(statement.body, inner);
        if (signal) return signal;
        this.#assign(statement.target, this.#filtered(statement.filter, text, inner), frame);
        return undefined;
      }
      case "macro":
        frame.set(statement.macro.name, this.#macro(statement.macro, frame));
        return undefined;
      case "callBlock": {
        const caller = this.#macro(statement.macro, frame);
        this.#write(this.call(statement.call, frame, caller), output);
        return undefined;
      }
      case "generation":
        this.#write(this.#macro(statement.macro, frame).call([], new Map()), output);
        return undefined;
      case "filterBlock": {
        const inner = new Frame(frame, statement.scope);
        const [text, signal] = this.#captured(statement.body, inner);
        if (signal) return signal;
        this.#write(this.#filtered(statement.filter, text, inner), output);
        return undefined;
      }
      case "with": {
        const inner = new Frame(frame, statement.scope);
        for (const [index, target] of statement.targets.entries())
          this.#assign(target, this.evaluate(statement.values[index]!, frame), inner);
        return this.#execute(statement.body, inner, output);
      }
      case "break":
      case "continue":
        return statement.type;
    }
  }

  #filtered(filter: Expression | undefined, text: string, frame: Frame): Value {
    if (!filter) return text;
    frame.set(blockText, text);
    return this.evaluate(filter, frame);
  }

  #loop(
    statement: Statement & { type: "for" },
    source: Value,
    frame: Frame,
    output: string[],
    depth: number,
    recurse: ((items: Value, depth: number) => Value) | undefined,
  ): Signal {
    const { budget } = this;
    // One frame for all rounds: a macro from one round sees the variables of the last, as in Python.
    const inner = new Frame(frame, statement.scope);
    let items = iterate(source, budget);
    let whole: Value | undefined = source;
    if (statement.test) {
      whole = undefined;
      items = this.#passing(statement, items, frame);
    }
    const loop = new LoopState(items, whole, depth, recurse, budget);
    budget.objects(4);
    // Jinja's else belongs to a loop of which no round came to its end.
    let isDone = false;
    let signal: Signal;
    for (let item = loop.next(); item !== undefined; item = loop.next()) {
      inner.begin();
      inner.set("loop", loop.value);
      this.#assign(statement.target, item, inner);
      signal = this.#execute(statement.body, inner, output);
      isDone ||= signal === undefined;
      if (signal === "break") break;
    }
    inner.end();
    return isDone ? undefined : this.#execute(statement.otherwise, new Frame(frame, statement.otherwiseScope), output);
  }

  *#passing(statement: Statement & { type: "for" }, items: Iterable<Value>, frame: Frame): IterableIterator<Value> {
    const inner = new Frame(frame, statement.testScope);
    for (const item of items) {
      this.#assign(statement.target, item, inner);
      if (isTrue(this.evaluate(statement.test!, inner))) yield item;
    }
  }

  #checkNamespaces(target: Target, frame: Frame): void {
    if (target.type === "tuple") for (const item of target.items) this.#checkNamespaces(item, frame);
    else if (target.type === "attribute" && !(this.lookup(target.name, frame) instanceof Namespace))
      throw new Fault("cannot assign attribute on non-namespace object");
  }

  #assign(target: Target, value: Value, frame: Frame): void {
    if (target.type === "name") {
      frame.set(target.name, value);
    } else if (target.type === "attribute") {
      this.setAttribute(this.lookup(target.name, frame) as Namespace, target.attribute, value);
    } else {
      const items = listOf(value, this.budget);
      if (items.length !== target.items.length)
        throw new Fault(
          items.length < target.items.length
            ? `not enough values to unpack (expected ${target.items.length}, got ${items.length})`
            : `too many values to unpack (expected ${target.items.length})`,
        );
      for (const [index, one] of target.items.entries()) this.#assign(one, items[index]!, frame);
    }
  }

  #macro(macro: MacroNode, frame: Frame): Callable {
    const { name, parameters, special } = macro;
    this.budget.objects(8 + frame.size);
    const call = (positional: readonly Value[], named: Named): Value => {
      this.budget.step();
      const inner = new Frame(frame, macro.scope);
      this.#bind(macro, positional, named, inner);
      return this.#captured(macro.body, inner)[0];
    };
    return new Callable(
      name,
      call,
      new Map<string, Value>([
        ["name", name],
        ["arguments", new Tuple(parameters)],
        ["catch_kwargs", special.has("kwargs")],
        ["catch_varargs", special.has("varargs")],
        ["caller", special.has("caller")],
      ]),
    );
  }

  /** Gives a macro its arguments, as Jinja does. */
  #bind(macro: MacroNode, positional: readonly Value[], named: Named, frame: Frame): void {
    const { name, parameters, defaults, special } = macro;
    const left = new Map(named);
    for (const parameter of parameters) frame.hide(parameter);
    parameters.forEach((parameter, index) => {
      const value = index < positional.length ? positional[index] : left.get(parameter);
      if (index >= positional.length) left.delete(parameter);
      if (value !== undefined) frame.set(parameter, value);
    });
    if (special.has("caller")) {
      frame.set("caller", left.get("caller") ?? new Undefined(() => "No caller defined"));
      left.delete("caller");
    }
    if (special.has("kwargs")) frame.set("kwargs", Dict.of(left, this.budget));
    else if (left.size > 0) throw new Fault(`macro '${name}' takes no keyword argument '${[...left.keys()][0]}'`);
    if (special.has("varargs")) frame.set("varargs", new Tuple(positional.slice(parameters.length)));
    else if (positional.length > parameters.length)
      throw new Fault(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
    parameters.forEach((parameter, index) => {
      if (frame.has(parameter)) return;
      const otherwise = defaults[index - parameters.length + defaults.length];
      frame.set(
        parameter,
        otherwise ? this.evaluate(otherwise, frame) : new Undefined(() => `parameter '${parameter}' was not provided`),
      );
    });
  }
}
