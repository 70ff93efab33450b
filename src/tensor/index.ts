/** What `siskin/tensor` exports on every runtime: the tensor with its kernels, and no language model. */
export * from "../errors.ts";
export type { Range } from "./arrange.ts";
export type { RotationOptions } from "./rotation.ts";
export { scope } from "./scope.ts";
export { type NestedNumbers, type RotaryEmbeddingOptions, Tensor, type TensorType } from "./tensor.ts";
