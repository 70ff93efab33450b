/** What the engine in a worker and the side that uses it say to one another, and how errors cross between them. */
import * as errors from "../errors.ts";

/** A way to the other side. */
export interface Port {
  post(message: unknown, transfer: Transferable[]): void;
}

/** A call of a method; objects of the engine are known by numbers, 0 being the engine itself. */
export interface Call {
  readonly kind: "call";
  /** What answers and what the caller says later refer to. */
  readonly id: number;
  readonly target: number;
  readonly method: string;
  readonly values: readonly unknown[];
}

/** What a caller says of a call that goes on: that it wants the next item or no more of them, stops it, or gives the next piece. */
export type Follow =
  | { readonly kind: "next" | "return"; readonly id: number }
  | { readonly kind: "abort"; readonly id: number; readonly reason: PackedError }
  | ({ readonly kind: "piece"; readonly id: number } & Piece);

/** A piece of a document, its end, or the error that came instead. */
export interface Piece {
  readonly value?: unknown;
  readonly done?: boolean | undefined;
  readonly error?: PackedError | undefined;
}

/** What the engine says of a call: what came of it, one item, how far it is, or that it wants the next piece. */
export type Answer =
  | { readonly kind: "value" | "progress"; readonly id: number; readonly value: unknown }
  | { readonly kind: "item"; readonly id: number; readonly value?: unknown; readonly done: boolean }
  | { readonly kind: "error"; readonly id: number; readonly error: PackedError }
  | { readonly kind: "pull"; readonly id: number };

/** Stands in arguments for a document in pieces, which stays with the caller. */
export const PIECES = "siskin:pieces";

/** An error as plain data. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** @param error anything that was thrown */
export function packError(error: unknown): PackedError {
  if (typeof error !== "object" || error === null || !("message" in error)) {
    return { name: "Error", message: String(error), fields: {} };
  }
  const { name, message } = error as Error;
  const fields = Object.fromEntries(
    Object.entries(error).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value)),
  );
  return { name: String(name), message: String(message), fields };
}

/** An error of the same class, with the same message and fields: one of Siskin's, an AbortError, or a plain Error of that name. */
export function unpackError({ name, message, fields }: PackedError): Error {
  if (name === "AbortError" || name === "TimeoutError") return new DOMException(message, name);
  const kind: unknown = (errors as Record<string, unknown>)[name];
  const error = new Error(message);
  error.stack = `${name}: ${message}\n    in the engine's worker`;
  // Their constructors take other arguments than a message.
  if (typeof kind === "function") Object.setPrototypeOf(error, kind.prototype);
  return Object.assign(error, { name, ...fields });
}
