/** onnxruntime-web's wasm provider on the decoder of onnx_decoder.py; the cache goes out and in again at every step, as transformers.js has it. */

/** Opens the model. Options: `library` and `model` as URLs, `threads`. */
export async function open({ library, model, threads }) {
  const runtime = await import(library);
  runtime.env.wasm.numThreads = threads;
  const bytes = new Uint8Array(await (await fetch(model)).arrayBuffer());
  const session = await runtime.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const caches = session.inputNames.filter((name) => name.startsWith("past."));
  const { Tensor } = runtime;

  /** One pass over `tokens` behind `past` others. Gives the likeliest next token, and the cache. */
  async function pass(tokens, past, cache) {
    const total = past + tokens.length;
    const feeds = {
      input_ids: new Tensor("int64", BigInt64Array.from(tokens, BigInt), [1, tokens.length]),
      seqlens_k: new Tensor("int32", Int32Array.of(total - 1), [1]),
      total_sequence_length: new Tensor("int32", Int32Array.of(total), []),
    };
    for (const name of caches) {
      feeds[name] =
        cache?.[name.replace("past", "present")] ?? new Tensor("float32", new Float32Array(0), [1, 3, 0, 64]);
    }
    const results = await session.run(feeds);
    const logits = results.logits.data;
    return { token: logits.reduce((best, value, index) => (value > logits[best] ? index : best), 0), cache: results };
  }

  return {
    async run({ tokens, decode }) {
      const started = performance.now();
      let { token, cache } = await pass(tokens, 0);
      const first = performance.now();
      const produced = [token];
      for (let step = 0; step < decode; step++) {
        ({ token, cache } = await pass([token], tokens.length + step, cache));
        produced.push(token);
      }
      return { prefillMs: first - started, decodeMs: performance.now() - first, tokens: produced };
    },
  };
}
