/** The types of weights that Siskin reads, with the sizes of their blocks. */

/** Types that few files have, which are turned to floats outside the core (`rare-types.ts`). */
export type RareType =
  | "IQ1_S"
  | "IQ1_M"
  | "IQ2_XXS"
  | "IQ2_XS"
  | "IQ2_S"
  | "IQ3_XXS"
  | "IQ3_S"
  | "TQ1_0"
  | "TQ2_0"
  | "MXFP4"
  | "NVFP4";

export type TensorType =
  | RareType
  | "F32"
  | "F16"
  | "BF16"
  | "F64"
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
  /** Whether the core does not know it. */
  readonly isRare?: true;
}

/** From ggml.h and ggml-common.h. */
export const typeTraits: Readonly<Record<TensorType, TypeTraits>> = {
  F32: { ggmlType: 0, blockLength: 1, blockBytes: 4 },
  F16: { ggmlType: 1, blockLength: 1, blockBytes: 2 },
  BF16: { ggmlType: 30, blockLength: 1, blockBytes: 2 },
  F64: { ggmlType: 28, blockLength: 1, blockBytes: 8 },
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
  IQ2_XXS: { ggmlType: 16, blockLength: 256, blockBytes: 66, isRare: true },
  IQ2_XS: { ggmlType: 17, blockLength: 256, blockBytes: 74, isRare: true },
  IQ3_XXS: { ggmlType: 18, blockLength: 256, blockBytes: 98, isRare: true },
  IQ1_S: { ggmlType: 19, blockLength: 256, blockBytes: 50, isRare: true },
  IQ3_S: { ggmlType: 21, blockLength: 256, blockBytes: 110, isRare: true },
  IQ2_S: { ggmlType: 22, blockLength: 256, blockBytes: 82, isRare: true },
  IQ1_M: { ggmlType: 29, blockLength: 256, blockBytes: 56, isRare: true },
  TQ1_0: { ggmlType: 34, blockLength: 256, blockBytes: 54, isRare: true },
  TQ2_0: { ggmlType: 35, blockLength: 256, blockBytes: 66, isRare: true },
  MXFP4: { ggmlType: 39, blockLength: 32, blockBytes: 17, isRare: true },
  NVFP4: { ggmlType: 40, blockLength: 64, blockBytes: 36, isRare: true },
};

/** Whether Siskin reads weights of a type. */
export function isRead(type: string): type is TensorType {
  return Object.hasOwn(typeTraits, type);
}

export function isRareType(type: TensorType): type is RareType {
  return typeTraits[type].isRare ?? false;
}

/** How ggml stores values of a type, by its number; of those that Siskin does not read too, which may stand in a file. */
export const ggmlTypes: ReadonlyMap<number, { name: string; blockLength: number; blockBytes: number }> = new Map([
  ...Object.entries(typeTraits).map(
    ([name, { ggmlType, blockLength, blockBytes }]) => [ggmlType, { name, blockLength, blockBytes }] as const,
  ),
  ...(
    [
      [9, "Q8_1", 32, 36],
      [15, "Q8_K", 256, 292],
      [24, "I8", 1, 1],
      [25, "I16", 1, 2],
      [26, "I32", 1, 4],
      [27, "I64", 1, 8],
      [41, "Q1_0", 128, 18],
      [42, "Q2_0", 64, 18],
    ] as const
  ).map(([number, name, blockLength, blockBytes]) => [number, { name, blockLength, blockBytes }] as const),
]);

/** Number of values in a shape; undefined when it is beyond 2^53. */
export function valuesIn(shape: readonly number[]): number | undefined {
  const count = shape.reduce((product, length) => product * length, 1);
  return Number.isSafeInteger(count) ? count : undefined;
}
