/** What a template is parsed into. */
import type { Value } from "./values.ts";

/** Arguments of a call, filter or test. */
export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [name: string, value: Expression])[];
  /** `*rest` and `**rest` */
  readonly rest: Expression | undefined;
  readonly namedRest: Expression | undefined;
}

/** The name, which no template can write, of a block's text for the filters that are applied to it. */
export const blockText = "";

export type Expression =
  | { readonly type: "constant"; readonly value: Value }
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "tuple" | "list"; readonly items: readonly Expression[] }
  | { readonly type: "dict"; readonly entries: readonly (readonly [key: Expression, value: Expression])[] }
  | { readonly type: "not" | "and" | "or"; readonly nodes: readonly Expression[] }
  | { readonly type: "sign"; readonly operator: "+" | "-"; readonly node: Expression }
  | { readonly type: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly type: "concatenation"; readonly nodes: readonly Expression[] }
  | {
      readonly type: "comparison";
      readonly first: Expression;
      readonly rest: readonly (readonly [operator: string, node: Expression])[];
    }
  | {
      readonly type: "conditional";
      readonly test: Expression;
      readonly consequent: Expression;
      readonly otherwise: Expression | undefined;
    }
  | { readonly type: "attribute"; readonly node: Expression; readonly name: string }
  | { readonly type: "item"; readonly node: Expression; readonly key: Expression }
  | {
      readonly type: "slice";
      readonly node: Expression;
      /** start, stop and step */
      readonly bounds: readonly (Expression | undefined)[];
    }
  | { readonly type: "call"; readonly node: Expression; readonly given: Arguments }
  | { readonly type: "filter"; readonly node: Expression; readonly name: string; readonly given: Arguments }
  | { readonly type: "test"; readonly node: Expression; readonly name: string; readonly given: Arguments };

/** What is assigned to: a name, an attribute of a namespace, or several of these. */
export type Target =
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "attribute"; readonly name: string; readonly attribute: string }
  | { readonly type: "tuple"; readonly items: readonly Target[] };

/** A macro or the block of a call. */
export interface MacroNode {
  readonly name: string;
  readonly parameters: readonly string[];
  /** of the last parameters */
  readonly defaults: readonly Expression[];
  readonly body: readonly Statement[];
  readonly scope: Names;
  /** which of the special names `caller`, `kwargs` and `varargs` the body uses */
  readonly special: ReadonlySet<string>;
}

export type Statement =
  | { readonly type: "output"; readonly nodes: readonly Expression[] }
  | {
      readonly type: "if";
      readonly branches: readonly (readonly [test: Expression, body: readonly Statement[]])[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly type: "for";
      readonly target: Target;
      readonly source: Expression;
      readonly test: Expression | undefined;
      readonly isRecursive: boolean;
      readonly body: readonly Statement[];
      readonly scope: Names;
      readonly testScope: Names;
      readonly otherwise: readonly Statement[];
      readonly otherwiseScope: Names;
    }
  | { readonly type: "set"; readonly target: Target; readonly value: Expression }
  | {
      readonly type: "setBlock";
      readonly target: Target;
      readonly filter: Expression | undefined;
      readonly body: readonly Statement[];
      readonly scope: Names;
    }
  | { readonly type: "macro"; readonly macro: MacroNode }
  | { readonly type: "callBlock"; readonly call: Expression & { type: "call" }; readonly macro: MacroNode }
  | { readonly type: "generation"; readonly macro: MacroNode }
  | {
      readonly type: "filterBlock";
      readonly filter: Expression;
      readonly body: readonly Statement[];
      readonly scope: Names;
    }
  | {
      readonly type: "with";
      readonly targets: readonly Target[];
      readonly values: readonly Expression[];
      readonly body: readonly Statement[];
      readonly scope: Names;
    }
  | { readonly type: "break" | "continue" };

/**
 * The names that a scope reads and sets, as Jinja finds them before a template runs: one that the scope sets before it reads it, and
 * not only in a branch, does not stand for the variable of that name that was given to the template.
 */
export class Names {
  readonly #first = new Map<string, "read" | "set" | "parameter">();
  #branches = 0;
  #hidden: readonly string[] | undefined;

  constructor(readonly parent: Names | undefined) {}

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
      .filter(([name, kind]) => kind === "set" && !this.parent?.knows(name))
      .map(([name]) => name);
    return this.#hidden;
  }

  /** Names that are the scope's own. */
  get own(): IterableIterator<string> {
    return this.#first.keys();
  }

  /** Whether this scope or one around it reads or sets a name. */
  knows(name: string): boolean {
    return this.#first.has(name) || (this.parent?.knows(name) ?? false);
  }
}
