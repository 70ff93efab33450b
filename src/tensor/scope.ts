/** Frees the tensors that a piece of work makes on its way. */
import { ArgumentError } from "../errors.ts";

/** What a scope frees. */
interface Freed {
  dispose(): void;
}

const scopes: Set<Freed>[] = [];

/** Tells the innermost scope of a tensor; for `Tensor`. */
export function enter(tensor: Freed): void {
  scopes.at(-1)?.add(tensor);
}

/**
 * Runs `work`, then frees every tensor made in it, views too, but for those that it gives back: a tensor, or lists and plain objects
 * with tensors in them. When `work` throws all are freed. Scopes nest: what an inner one gives back belongs to the outer.
 * @throws ArgumentError when `work` is asynchronous: what it makes later could not be told from what others make
 */
export function scope<Result>(work: () => Result): Result {
  if (typeof work !== "function") throw new ArgumentError("scope takes a function");
  const made = new Set<Freed>();
  scopes.push(made);
  let kept = new Set<unknown>();
  try {
    const result = work();
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new ArgumentError("scope takes a function that is not asynchronous");
    }
    kept = tensorsIn(result, made, new Set());
    return result;
  } finally {
    scopes.pop();
    for (const tensor of made) {
      if (kept.has(tensor)) enter(tensor);
      else tensor.dispose();
    }
  }
}

function tensorsIn(value: unknown, made: ReadonlySet<unknown>, seen: Set<unknown>): Set<unknown> {
  if (typeof value !== "object" || value === null || seen.has(value)) return seen;
  seen.add(value);
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  if (!made.has(value) && isPlain) for (const part of Object.values(value)) tensorsIn(part, made, seen);
  return seen;
}
