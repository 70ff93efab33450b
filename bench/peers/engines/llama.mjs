/** node-llama-cpp, native llama.cpp: a bound, not a peer. */
import { getLlama } from "node-llama-cpp";

/** Opens a model. Options: `model`, a path; `threads`. */
export async function open({ model, threads }) {
  const llama = await getLlama({
    build: "never",
    gpu: false,
    skipDownload: true,
    maxThreads: threads,
    logLevel: "error",
  });
  const loaded = await llama.loadModel({ modelPath: model, gpuLayers: 0 });
  const context = await loaded.createContext({ contextSize: 2560, batchSize: 512, threads, sequences: 1 });
  const sequence = context.getSequence();
  return {
    async run({ tokens, decode }) {
      await sequence.clearHistory();
      const produced = [];
      const started = performance.now();
      let first;
      for await (const token of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
        first ??= performance.now();
        produced.push(token);
        if (produced.length > decode) break;
      }
      return { prefillMs: first - started, decodeMs: performance.now() - first, tokens: produced };
    },
  };
}
