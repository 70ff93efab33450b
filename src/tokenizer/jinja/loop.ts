/** What `loop` is in a loop. */
import type { Budget } from "./budget.ts";
import { equals } from "./compare.ts";
import { Fault } from "./faults.ts";
import {
  Callable,
  isText,
  LoopState,
  lengthOf,
  orElse,
  sizeOf,
  Tuple,
  textOf,
  Undefined,
  type Value,
} from "./values.ts";

export class Loop extends LoopState {
  #items: Iterator<Value>;
  /** What has the length, unless the items have to be counted. */
  readonly #whole: Value | undefined;
  readonly #budget: Budget;
  #index = -1;
  #length: number | undefined;
  #before: Value | undefined;
  #current: Value | undefined;
  /** The next item, once it has been looked at: undefined in an object where there is none. */
  #after: { readonly item: Value | undefined } | undefined;
  #last: Tuple | undefined;

  constructor(items: Iterator<Value>, whole: Value | undefined, budget: Budget) {
    super();
    this.#items = items;
    this.#whole = whole;
    this.#budget = budget;
    budget.objects(4);
  }

  /** The next item, undefined behind the last. */
  next(): Value | undefined {
    const item = this.#peek();
    this.#after = undefined;
    if (item === undefined) return undefined;
    this.#index++;
    this.#before = this.#current;
    this.#current = item;
    return item;
  }

  #peek(): Value | undefined {
    if (!this.#after) {
      const { done, value } = this.#items.next();
      this.#after = { item: done ? undefined : value };
    }
    return this.#after.item;
  }

  #count(): number {
    if (this.#length !== undefined) return this.#length;
    const whole = this.#whole ?? null;
    const size = isText(whole) ? lengthOf(textOf(whole), this.#budget) : sizeOf(whole);
    if (size !== undefined) this.#length = size;
    else {
      const rest: Value[] = [];
      for (let item = this.#items.next(); !item.done; item = this.#items.next()) {
        this.#budget.slots(1);
        rest.push(item.value);
      }
      this.#items = rest[Symbol.iterator]();
      this.#length = rest.length + this.#index + 1 + (this.#after?.item === undefined ? 0 : 1);
    }
    return this.#length;
  }

  override get(name: string): Value | undefined {
    switch (name) {
      case "index0":
        return this.#index;
      case "index":
        return this.#index + 1;
      case "first":
        return this.#index === 0;
      case "last":
        return this.#peek() === undefined;
      case "length":
        return this.#count();
      case "revindex":
        return this.#count() - this.#index;
      case "revindex0":
        return this.#count() - this.#index - 1;
      case "previtem":
        return orElse(this.#before, () => new Undefined(() => "there is no previous item"));
      case "nextitem":
        return orElse(this.#peek(), () => new Undefined(() => "there is no next item"));
      case "depth":
        return 1;
      case "depth0":
        return 0;
      case "cycle":
        return new Callable((items) => {
          if (items.length === 0) throw new Fault("no items for cycling given");
          return items[this.#index % items.length]!;
        });
      case "changed":
        return new Callable((items) => {
          const now = new Tuple(items);
          const isChanged = !this.#last || !equals(this.#last, now, this.#budget);
          this.#last = now;
          return isChanged;
        });
    }
    return undefined;
  }
}
