/** The types of weights that Siskin reads, with the sizes of their blocks. */

export type TensorType =
  | "F32"
  | "F16"
  | "BF16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ4_NL"
  | "IQ4_XS";

/** How values of a type are stored. */
interface TypeTraits {
  /** Its number in ggml.h, which the core's `dequantise` takes. */
  readonly ggmlType: number;
  /** Values in a block; a row is a whole number of blocks. */
  readonly blockLength: number;
  readonly blockBytes: number;
}

/** From ggml.h and ggml-common.h. */
export const typeTraits: Readonly<Record<TensorType, TypeTraits>> = {
  F32: { ggmlType: 0, blockLength: 1, blockBytes: 4 },
  F16: { ggmlType: 1, blockLength: 1, blockBytes: 2 },
  BF16: { ggmlType: 30, blockLength: 1, blockBytes: 2 },
  Q4_0: { ggmlType: 2, blockLength: 32, blockBytes: 18 },
  Q4_1: { ggmlType: 3, blockLength: 32, blockBytes: 20 },
  Q5_0: { ggmlType: 6, blockLength: 32, blockBytes: 22 },
  Q5_1: { ggmlType: 7, blockLength: 32, blockBytes: 24 },
  Q8_0: { ggmlType: 8, blockLength: 32, blockBytes: 34 },
  Q2_K: { ggmlType: 10, blockLength: 256, blockBytes: 84 },
  Q3_K: { ggmlType: 11, blockLength: 256, blockBytes: 110 },
  Q4_K: { ggmlType: 12, blockLength: 256, blockBytes: 144 },
  Q5_K: { ggmlType: 13, blockLength: 256, blockBytes: 176 },
  Q6_K: { ggmlType: 14, blockLength: 256, blockBytes: 210 },
  IQ4_NL: { ggmlType: 20, blockLength: 32, blockBytes: 18 },
  IQ4_XS: { ggmlType: 23, blockLength: 256, blockBytes: 136 },
};

/** Type by its ggml number. */
export const typeByNumber: ReadonlyMap<number, TensorType> = new Map(
  Object.entries(typeTraits).map(([type, { ggmlType }]) => [ggmlType, type as TensorType]),
);

/** ggml's types that Siskin does not read, for error messages. */
export const unreadTypes: ReadonlyMap<number, string> = new Map([
  [9, "Q8_1"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
  [40, "NVFP4"],
]);

/** Number of values in a shape; undefined when it is beyond 2^53. */
export function valuesIn(shape: readonly number[]): number | undefined {
  const count = shape.reduce((product, length) => product * length, 1);
  return Number.isSafeInteger(count) ? count : undefined;
}
