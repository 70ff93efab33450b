/** The variables of a scope while a template runs. */
import type { Names } from "./ast.ts";
import type { Value } from "./values.ts";

/** Stands for a variable that exists and has no value. */
export const hidden: unique symbol = Symbol("hidden");

export class Frame {
  readonly #values = new Map<string, Value | typeof hidden>();
  readonly #parent: Frame | undefined;
  readonly #names: Names;

  constructor(parent: Frame | undefined, names: Names) {
    this.#parent = parent;
    this.#names = names;
    this.begin();
  }

  /** Forgets all; for the rounds of a loop. */
  begin(): void {
    if (this.#values.size > 0) this.#values.clear();
    for (const name of this.#names.hidden) this.#values.set(name, hidden);
  }

  /** Leaves no variable a value; for a loop that is over. */
  end(): void {
    for (const name of this.#names.own) this.#values.set(name, hidden);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  hide(name: string): void {
    this.#values.set(name, hidden);
  }

  /** Whether the scope itself has a value of that name. */
  has(name: string): boolean {
    const value = this.#values.get(name);
    return value !== undefined && value !== hidden;
  }

  get size(): number {
    return this.#values.size;
  }

  /** The value of a name here or around; `hidden` where it has none, undefined where nothing has that name. */
  find(name: string): Value | typeof hidden | undefined {
    let value = this.#values.get(name);
    for (let frame = this.#parent; value === undefined && frame; frame = frame.#parent) value = frame.#values.get(name);
    return value;
  }
}
