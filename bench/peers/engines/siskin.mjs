/** Siskin itself, in Node or a page. */

/** Opens a model. Options: `library` a URL, `model` a URL or an absolute path, `threads`, `cache` of the session. */
export async function open({ library, model, threads, cache }) {
  const { loadModel } = await import(library);
  const loaded = await loadModel(new URL(model, import.meta.url), { threads });
  const likeliest = (logits) => logits.reduce((best, value, index) => (value > logits[best] ? index : best), 0);
  return {
    async run({ tokens, decode }) {
      const session = loaded.createSession({ cache });
      const started = performance.now();
      let token = likeliest(session.prefill(tokens));
      const first = performance.now();
      const produced = [token];
      for (let step = 0; step < decode; step++) {
        token = likeliest(session.decode(token));
        produced.push(token);
      }
      const decodeMs = performance.now() - first;
      session.dispose();
      return { prefillMs: first - started, decodeMs, tokens: produced };
    },
  };
}
