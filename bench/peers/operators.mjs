/** Matrix products of the decoder's shapes, one thread, one process: Siskin's kernels against those of other libraries. Bundled by run.mjs. */
import process from "node:process";
import { defaultDevice, init, numpy } from "@jax-js/jax";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import * as onnxruntime from "onnxruntime-web";
import { bestFlavour } from "../../src/core/module.ts";
import { Machine } from "../support/machine.ts";
import { floatProduct, integerProduct } from "../support/products.ts";
import { rateRow } from "../support/report.ts";
import { SHAPES } from "./shapes.mjs";

const [models, tfjsWasm, quick] = process.argv.slice(2);
setWasmPaths(tfjsWasm);
await tf.setBackend("wasm");
onnxruntime.env.wasm.numThreads = 1;
await init("wasm");
defaultDevice("wasm");

const rows = [];
for (const [count, depth, columns] of SHAPES) {
  const candidates = {
    ...siskin(count, depth, columns),
    ...(await onnxruntimeProducts(count, depth, columns)),
    "tfjs-wasm f32": tfjsProduct(count, depth, columns),
    "jax-js f32": jaxProduct(count, depth, columns),
  };
  const rates = await interleave(candidates, 2 * count * depth * columns);
  const name = (what) => `${count}x${depth}x${columns} ${what}`;
  const against = (what, others) =>
    others.map((other) => ({
      to: other,
      value: rateRow("", "GFLOP/s", rates[what], { rates: rates[other], to: other }).ratios[0].value,
    }));
  const row = (what, others = []) =>
    rows.push({ ...rateRow(name(what), "GFLOP/s", rates[what]), ratios: against(what, others) });
  row("siskin f32", ["tfjs-wasm f32", "jax-js f32"]);
  row("siskin f32, copied in and out", ["onnxruntime-web f32"]);
  row("siskin 8-bit, copied in and out", ["onnxruntime-web int8"]);
  for (const other of ["tfjs-wasm f32", "jax-js f32", "onnxruntime-web f32", "onnxruntime-web int8"]) row(other);
}
const title = "Matrix products (rows x depth x columns) in Node, 1 thread";
process.send({ flavour: bestFlavour(false), table: { title, rows } }, () => process.exit());

/** Siskin's products; onnxruntime copies what goes in and what comes out, so two of them do so too. */
function siskin(count, depth, columns) {
  const machine = new Machine();
  const { core } = machine;
  const float = floatProduct(machine, count, depth, columns);
  const integer = integerProduct(machine, "q8", count, depth, columns);
  const input = new Float32Array(core.f32(float.source, count * depth));
  const copied = (product) => () => {
    core.f32(product.source, input.length).set(input);
    product.run();
    return core.f32(product.results, count * columns).slice();
  };
  return {
    "siskin f32": float.run,
    "siskin f32, copied in and out": copied(float),
    "siskin 8-bit, copied in and out": copied(integer),
  };
}

/** Through onnxruntime-web's session, its weights constant. */
async function onnxruntimeProducts(count, depth, columns) {
  const A = new onnxruntime.Tensor("float32", numbers(count * depth), [count, depth]);
  const product = async (kind) => {
    const path = `${models}/${kind}-${depth}x${columns}.onnx`;
    const session = await onnxruntime.InferenceSession.create(path, { executionProviders: ["wasm"] });
    return () => session.run({ A });
  };
  return { "onnxruntime-web f32": await product("f32"), "onnxruntime-web int8": await product("int8") };
}

/** Operands stay in tfjs's memory. */
function tfjsProduct(count, depth, columns) {
  const rowsTensor = tf.tensor2d(numbers(count * depth), [count, depth]);
  const weights = tf.tensor2d(numbers(depth * columns), [depth, columns]);
  return () => tf.matMul(rowsTensor, weights).dispose();
}

/** Operands stay in jax-js's memory. */
function jaxProduct(count, depth, columns) {
  const rowsArray = numpy.array(numbers(count * depth)).reshape([count, depth]);
  const weights = numpy.array(numbers(depth * columns)).reshape([depth, columns]);
  // onnxruntime-web defines it in Node, and jax-js would take it for a sign that its memory is shared.
  delete globalThis.Worker;
  return async () => {
    const product = numpy.matmul(rowsArray.ref, weights.ref);
    await product.blockUntilReady();
    product.dispose();
  };
}

function numbers(count) {
  return Float32Array.from({ length: count }, (_, index) => ((index * 7919) % 1000) / 1000 - 0.5);
}

/** Every candidate once a round, for some 60 ms. @returns operations a second of each, round by round */
async function interleave(candidates, operations) {
  const entries = Object.entries(candidates);
  const rates = Object.fromEntries(entries.map(([name]) => [name, []]));
  for (let round = -1; round < (quick === "true" ? 2 : 9); round++) {
    for (const [name, run] of entries) {
      const started = performance.now();
      let calls = 0;
      do {
        await run();
        calls++;
      } while (performance.now() - started < 60);
      // The first round compiles.
      if (round >= 0) rates[name].push((operations * calls * 1000) / (performance.now() - started));
    }
  }
  return rates;
}
