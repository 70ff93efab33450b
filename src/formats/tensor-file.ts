/** What every model file comes down to: named tensors in a known order, and metadata. */
import type { ByteSource } from "./source.ts";
import type { TensorType } from "./tensor-types.ts";

/** A tensor's place in its file. */
export interface TensorEntry {
  readonly name: string;
  readonly type: TensorType;
  /** Outermost first: a weight is [out, in]. Rows lie one after another. */
  readonly shape: readonly number[];
  /** From the start of its file. */
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly source: ByteSource;
}

/** A value of a model file's metadata. */
export type MetadataValue = string | number | bigint | boolean | readonly MetadataValue[];

/** The tensors of a model, to be read in order where a source cannot seek. */
export interface TensorFile {
  /** File after file, and in each by offset. */
  readonly tensors: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** Closes the sources, which belong to this. */
  close(): Promise<void>;
}

/** `make`'s result, or its error after everything that `sources` holds by then is closed. */
export async function closingOnError<T>(sources: readonly ByteSource[], make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
}
