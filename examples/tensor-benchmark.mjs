/** A microbenchmark of the tensor to copy: products, gathering and rotating of rows, by benny. */
import benny from "benny";
import { loadCore, scope, Tensor } from "siskin";

await loadCore();
const drawn = (...shape) =>
  Tensor.from(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, Math.random), shape);
const [matrix, other] = [drawn(256, 576), drawn(576, 576)];
const keys = drawn(3, 4096, 64);
const kept = Int32Array.from({ length: 1024 }, (_, index) => index * 4);
const positions = Int32Array.from({ length: 4096 }, (_, index) => index);

benny.suite(
  "tensor",
  benny.add("matmul [256, 576] x [576, 576]", () => scope(() => void matrix.matmul(other))),
  benny.add("gather 1,024 of 4,096 keys of 3 heads", () => scope(() => void keys.gather(kept, 1))),
  benny.add("rotaryEmbedding of 3 x 4,096 keys", () => scope(() => void keys.rotaryEmbedding(positions))),
  benny.cycle(),
);
