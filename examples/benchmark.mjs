/** A microbenchmark of one kernel to copy from: `npm install benny && node examples/benchmark.mjs`. */
import benny from "benny";
import { Tensor } from "siskin/tensor";

// Everything is made before anything is timed: benny calls a case a few times before it measures.
const [rows, depth, columns] = [256, 512, 512];
const values = (count) => Float32Array.from({ length: count }, (_, index) => Math.sin(index));
const left = Tensor.from(values(rows * depth), [rows, depth]);
const right = Tensor.from(values(depth * columns), [depth, columns]);

const { results } = await benny.suite(
  "tensor",
  benny.add(`matmul [${rows}, ${depth}] x [${depth}, ${columns}]`, () => left.matmul(right).dispose()),
  benny.configure({ cases: { maxTime: 1, minSamples: 20 } }),
);
for (const { name, details, margin } of results) {
  const gigaflops = (2 * rows * depth * columns) / details.median / 1e9;
  console.log(`${name}: ${gigaflops.toFixed(1)} GFLOP/s, ±${margin}%`);
}
