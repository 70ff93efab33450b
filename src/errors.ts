/** The errors that Siskin throws, each naming what was wrong and where. */
import { clip } from "./show.ts";

/** Names out of a file may be megabytes long. */
const LONGEST_MESSAGE = 1000;

/** The base of every error thrown on purpose. Its message is cut after 1,000 characters. */
export class SiskinError extends Error {
  override name = "SiskinError";

  constructor(message: string, options?: ErrorOptions) {
    super(clip(message, LONGEST_MESSAGE), options);
  }
}

/** A model file, tokenizer or capsule that is truncated, malformed or of an unsupported kind; names the file and the byte. */
export class FormatError extends SiskinError {
  override name = "FormatError";
  /**
   * @param file name of the file as the user gave it
   * @param fault what is wrong with it
   * @param byteOffset where in the file, when there is such a place
   */
  constructor(
    readonly file: string,
    readonly fault: string,
    readonly byteOffset?: number,
  ) {
    super(`${file}: ${fault}${byteOffset === undefined ? "" : ` (at byte ${byteOffset})`}`);
  }
}

/** Shapes, lengths or types that do not fit together. */
export class ShapeError extends SiskinError {
  override name = "ShapeError";
}

/** An argument outside the values it may take: a token id beyond the vocabulary, a negative budget, unsorted indices. */
export class ArgumentError extends SiskinError {
  override name = "ArgumentError";
}

/** Use of a tensor, session or model after its `dispose()`. */
export class DisposedError extends SiskinError {
  override name = "DisposedError";
}

/** A call that would change a session while another one is about it. */
export class BusyError extends SiskinError {
  override name = "BusyError";
}

/** The model's window is full, or a cache cannot take what is asked of it. */
export class ContextError extends SiskinError {
  override name = "ContextError";
}

/** The core's memory cannot grow by what is needed. */
export class MemoryError extends SiskinError {
  override name = "MemoryError";
}

/** The model computed NaN or infinity: broken weights or overflow. */
export class NumericError extends SiskinError {
  override name = "NumericError";
}

/** This runtime cannot do what is asked: no WebAssembly SIMD, no file system, no threads. */
export class UnsupportedError extends SiskinError {
  override name = "UnsupportedError";
}

/**
 * @deprecated until 1.0: UnsupportedError
 * @alias
 */
export const RuntimeError = UnsupportedError;

/** The worker that the engine ran in has crashed, was ended, or could not be started. */
export class WorkerError extends SiskinError {
  override name = "WorkerError";
}
