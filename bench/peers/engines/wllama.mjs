/** wllama, llama.cpp in WebAssembly, in a page; times as llama.cpp itself takes them. */

/** Opens a model. Options: `library`, `wasm` and `model` as URLs, `threads`, `settings` of llama.cpp. */
export async function open({ library, wasm, model, threads, settings }) {
  const { Wllama } = await import(library);
  const silent = () => {};
  const wllama = new Wllama({ default: wasm }, { logger: { debug: silent, log: silent, warn: silent, error: silent } });
  // Never the build that it would fetch from elsewhere.
  wllama.setCompat(null);
  const blob = await (await fetch(model)).blob();
  await wllama.loadModel([blob], {
    n_ctx: 2560,
    n_threads: threads,
    n_gpu_layers: 0,
    n_parallel: 1,
    warmup: true,
    cache_idle_slots: false,
    ...settings,
  });
  return {
    async run({ text, tokens, decode }) {
      let timings;
      await wllama.createCompletion({
        prompt: text,
        max_tokens: decode + 1,
        temperature: 0,
        top_k: 1,
        ignore_eos: true,
        cache_prompt: false,
        timings_per_token: true,
        stream: true,
        onData(chunk) {
          timings = chunk.timings ?? timings;
        },
      });
      if (timings.prompt_n !== tokens.length) throw new Error(`wllama has read ${timings.prompt_n} tokens`);
      // predicted_n counts the token that the prompt's own pass gave.
      const steps = timings.predicted_n - 1;
      return { prefillMs: timings.prompt_ms, decodeMs: (timings.predicted_ms * decode) / steps, tokens: [] };
    },
  };
}
