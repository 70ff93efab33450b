/** Runs a parsed template: expressions. */
import type { Arguments, Expression } from "./ast.ts";
import { getAttribute, getItem, slice } from "./attributes.ts";
import type { Budget } from "./budget.ts";
import { compareValues, contains, equals } from "./compare.ts";
import { filters, tests, unsupportedFilters } from "./filters.ts";
import { type Frame, hidden } from "./frame.ts";
import { listOf } from "./iterate.ts";
import { negated, operate } from "./operators.ts";
import { str } from "./text.ts";
import {
  Attributes,
  Callable,
  Dict,
  Fault,
  isText,
  isTrue,
  type Namespace,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

type Given = readonly [positional: Value[], named: Map<string, Value>];

const orders: Record<string, (order: number) => boolean> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

export class ExpressionInterpreter {
  protected readonly budget: Budget;
  /** What was given to the template, and Jinja's globals. */
  readonly #variables: ReadonlyMap<string, Value>;

  constructor(variables: ReadonlyMap<string, Value>, budget: Budget) {
    this.#variables = variables;
    this.budget = budget;
  }

  protected lookup(name: string, frame: Frame): Value {
    let value = frame.find(name);
    if (value === undefined) value = this.#variables.get(name);
    return value === undefined || value === hidden ? new Undefined(() => `'${name}' is undefined`) : value;
  }

  protected setAttribute(namespace: Namespace, name: string, value: Value): void {
    checkAttribute(name);
    namespace.attributes.set(name, value);
  }

  protected evaluate(node: Expression, frame: Frame): Value {
    this.budget.step();
    this.budget.enter();
    const value = this.#evaluate(node, frame);
    this.budget.leave();
    return value;
  }

  #evaluate(node: Expression, frame: Frame): Value {
    switch (node.type) {
      case "constant":
        return node.value;
      case "name":
        return this.lookup(node.name, frame);
      case "attribute":
        return getAttribute(this.evaluate(node.node, frame), node.name, this.budget);
      case "item":
        return getItem(this.evaluate(node.node, frame), this.evaluate(node.key, frame), this.budget);
      case "call":
        return this.call(node, frame);
      case "filter":
        return this.#filter(node, frame);
      case "test": {
        const test = tests.get(node.name);
        if (!test) throw new Fault(`No test named '${node.name}' found.`);
        const value = this.evaluate(node.node, frame);
        return test(value, ...this.#given(node.given, frame), this.budget);
      }
      case "not":
        return !isTrue(this.evaluate(node.nodes[0]!, frame));
      case "and":
      case "or": {
        let value: Value = null;
        for (const one of node.nodes) {
          value = this.evaluate(one, frame);
          if (isTrue(value) === (node.type === "or")) break;
        }
        return value;
      }
      case "comparison":
        return this.#compare(node, frame);
      case "binary": {
        const left = this.evaluate(node.left, frame);
        return operate(node.operator, left, this.evaluate(node.right, frame), this.budget);
      }
      case "concatenation": {
        let text = "";
        for (const one of node.nodes) text += str(this.evaluate(one, frame), this.budget);
        this.budget.objects();
        return text;
      }
      case "conditional":
        if (isTrue(this.evaluate(node.test, frame))) return this.evaluate(node.consequent, frame);
        if (node.otherwise) return this.evaluate(node.otherwise, frame);
        return new Undefined(() => "the inline if-expression evaluated to false and no else section was defined.");
      case "sign":
        return negated(node.operator, this.evaluate(node.node, frame));
      case "list":
      case "tuple": {
        this.budget.slots(node.items.length);
        const items = node.items.map((item) => this.evaluate(item, frame));
        return node.type === "list" ? items : new Tuple(items);
      }
      case "dict": {
        const dict = new Dict();
        for (const [keyNode, valueNode] of node.entries) {
          const key = this.evaluate(keyNode, frame);
          dict.set(key, this.evaluate(valueNode, frame), this.budget);
        }
        return dict;
      }
      case "slice": {
        const value = this.evaluate(node.node, frame);
        const [start, stop, step] = node.bounds.map((bound) => (bound ? this.evaluate(bound, frame) : null));
        return slice(value, start!, stop!, step!, this.budget);
      }
    }
  }

  #compare(node: Expression & { type: "comparison" }, frame: Frame): Value {
    let left = this.evaluate(node.first, frame);
    for (const [operator, rightNode] of node.rest) {
      const right = this.evaluate(rightNode, frame);
      let holds: boolean;
      if (operator === "==" || operator === "!=") holds = equals(left, right, this.budget) === (operator === "==");
      else if (operator === "in" || operator === "not in")
        holds = contains(right, left, this.budget) === (operator === "in");
      else holds = orders[operator]!(compareValues(left, right, this.budget, operator));
      if (!holds) return false;
      left = right;
    }
    return true;
  }

  /** A call; @param caller what the block of a `call` statement is */
  protected call(node: Expression & { type: "call" }, frame: Frame, caller?: Callable): Value {
    const callee = this.evaluate(node.node, frame);
    const [positional, named] = this.#given(node.given, frame);
    if (caller) named.set("caller", caller);
    if (callee instanceof Callable) return callee.call(positional, named);
    if (callee instanceof Attributes && callee.call) return callee.call(positional);
    if (callee instanceof Undefined) return callee.fail();
    throw new Fault(`'${typeName(callee)}' object is not callable`);
  }

  #filter(node: Expression & { type: "filter" }, frame: Frame): Value {
    const value = this.evaluate(node.node, frame);
    const filter = filters.get(node.name);
    if (!filter)
      throw new Fault(
        unsupportedFilters.has(node.name)
          ? `the filter '${node.name}' is not supported`
          : `No filter named '${node.name}' found.`,
      );
    return filter(value, ...this.#given(node.given, frame), this.budget);
  }

  #given({ positional, named, rest, namedRest }: Arguments, frame: Frame): Given {
    const list = positional.map((node) => this.evaluate(node, frame));
    const byName = new Map<string, Value>();
    for (const [name, node] of named) byName.set(name, this.evaluate(node, frame));
    // One by one: a runtime's own calls take no such number of arguments.
    if (rest) for (const value of listOf(this.evaluate(rest, frame), this.budget)) list.push(value);
    if (namedRest) {
      const dict = this.evaluate(namedRest, frame);
      if (!(dict instanceof Dict)) throw new Fault(`argument after ** must be a mapping, not ${typeName(dict)}`);
      this.budget.objects(2 * dict.size);
      for (const [key, value] of dict.entries()) {
        if (!isText(key)) throw new Fault("keywords must be strings");
        if (byName.has(textOf(key))) throw new Fault(`got multiple values for keyword argument '${textOf(key)}'`);
        byName.set(textOf(key), value);
      }
    }
    return [list, byName];
  }
}

/** @throws Fault for what transformers forbids */
export function checkAttribute(name: string): void {
  if (name.startsWith("_"))
    throw new Fault(`Chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'.`);
}
