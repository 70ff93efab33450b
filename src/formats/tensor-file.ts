/** What every model file comes down to: named tensors in a known order, and metadata. */
import type { ByteSource } from "./source.ts";
import type { TensorType } from "./tensor-types.ts";

/** A tensor's place in its file. */
export interface TensorEntry {
  readonly name: string;
  /** As its format calls it: perhaps none that Siskin reads. */
  readonly type: string;
  /** Outermost first: a weight is [out, in]. Rows lie one after another. */
  readonly shape: readonly number[];
  /** From the start of its file. */
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly source: ByteSource;
}

/** A tensor of a type that Siskin reads. */
export type ReadableEntry = TensorEntry & { readonly type: TensorType };

/** A value of a model file's metadata. */
export type MetadataValue = string | number | bigint | boolean | readonly MetadataValue[];

/** The tensors of a model, of whatever types, to be read in order where a source cannot seek. */
export interface TensorFile {
  /** File after file, and in each by offset. */
  readonly tensors: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** Closes the sources, which belong to this. */
  close(): Promise<void>;
}

/** `make`'s result, or its error after everything that `opened` holds by then is closed. */
export async function closingOnError<T>(
  opened: readonly { close(): Promise<void> }[],
  make: () => Promise<T>,
): Promise<T> {
  try {
    return await make();
  } catch (error) {
    await Promise.all(opened.map((each) => each.close()));
    throw error;
  }
}
