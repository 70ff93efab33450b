/** The variables of a part of a template: their names while it is parsed, their values while it runs. */
import type { Budget } from "./budget.ts";
import { Undefined, type Value } from "./values.ts";

/**
 * The names that a scope reads and sets, as Jinja finds them before a template runs: one that the scope sets before it reads it, and
 * not only in a branch, does not stand for the variable of that name that was given to the template.
 */
export class Names {
  readonly #first = new Map<string, "read" | "set" | "parameter">();
  readonly #parent: Names | undefined;
  #branches = 0;
  #hidden: readonly string[] | undefined;

  constructor(parent?: Names, parameters: readonly string[] = []) {
    this.#parent = parent;
    for (const name of parameters) this.parameter(name);
  }

  read(name: string): void {
    if (!this.knows(name)) this.#first.set(name, "read");
  }

  set(name: string): void {
    if (!this.#first.has(name)) this.#first.set(name, this.#branches > 0 ? "read" : "set");
  }

  parameter(name: string): void {
    this.#first.set(name, "parameter");
  }

  /** Runs what parses a branch. */
  branch<T>(parse: () => T): T {
    this.#branches++;
    const result = parse();
    this.#branches--;
    return result;
  }

  /** Names that are undefined at the scope's beginning, whatever was given to the template; known once all is parsed. */
  get hidden(): readonly string[] {
    this.#hidden ??= [...this.#first]
      .filter(([name, kind]) => kind === "set" && !this.#parent?.knows(name))
      .map(([name]) => name);
    return this.#hidden;
  }

  /** Whether this scope or one around it reads or sets a name. */
  knows(name: string): boolean {
    return this.#first.has(name) || (this.#parent?.knows(name) ?? false);
  }
}

/** The variables of a scope while a template runs. */
export class Scope {
  readonly budget: Budget;
  readonly #values = new Map<string, Value>();
  readonly #names: Names;
  /** What was given to the template, and Jinja's globals. */
  readonly #given: ReadonlyMap<string, Value>;
  readonly #parent: Scope | undefined;

  constructor(names: Names, given: ReadonlyMap<string, Value>, budget: Budget, parent?: Scope) {
    this.#names = names;
    this.#given = given;
    this.budget = budget;
    this.#parent = parent;
    this.begin();
  }

  /** A scope in this one. */
  inner(names: Names): Scope {
    return new Scope(names, this.#given, this.budget, this);
  }

  /** Forgets all; for the rounds of a loop. */
  begin(): void {
    if (this.#values.size > 0) this.#values.clear();
    for (const name of this.#names.hidden) this.#values.set(name, missing(name));
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  /** The value of a name here, around or given. */
  lookup(name: string): Value {
    let value = this.#values.get(name);
    for (let scope = this.#parent; value === undefined && scope; scope = scope.#parent) value = scope.#values.get(name);
    if (value === undefined) value = this.#given.get(name);
    return value === undefined ? missing(name) : value;
  }
}

const missing = (name: string) => new Undefined(() => `'${name}' is undefined`);
