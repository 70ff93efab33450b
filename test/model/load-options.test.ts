/** What a caller says wrongly to loadModel is refused before anything is read. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError } from "../../src/errors.ts";
import { loadModel } from "../../src/runtimes/node.ts";

const test = suite("load options");

/** A WebAssembly module of nothing at all. */
const emptyModule = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));

const wrong: [unknown, RegExp][] = [
  [null, /^The options of loadModel should be an object and are null$/],
  ["q8", /^The options of loadModel should be an object and are "q8"$/],
  [{ weigths: "q8" }, /^loadModel has no option "weigths"; did you mean weights\?$/],
  [{ cache: "q8" }, /^loadModel has no option "cache"; it has weights, onProgress, signal, threads, hub, core$/],
  [{ weights: "q5" }, /^weights should be "auto", "f32", "q8", "q4" and is "q5"$/],
  [{ weights: null }, /^weights should be .* and is null$/],
  [{ onProgress: 5 }, /^onProgress should be a function and is 5$/],
  [{ signal: {} }, /^signal should be an AbortSignal and is \{\}$/],
  [{ signal: null }, /^signal should be an AbortSignal and is null$/],
  [{ threads: 0 }, /^threads should be "auto" or a whole number from 1 to 64 and is 0$/],
  [{ threads: 1.5 }, /^threads should be /],
  [{ threads: 2n }, /^threads should be .* and is 2n$/],
  [{ core: {} }, /^core should be a compiled build .* and is \{\}$/],
  [{ core: emptyModule }, /^core should be a compiled build .* and is a WebAssembly\.Module$/],
];

for (const [options, message] of wrong) {
  test(String(message), async () => {
    const error = await loadModel("models/nano", options as object).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.instance(error, ArgumentError);
    assert.match((error as ArgumentError).message, message);
  });
}

test.run();
