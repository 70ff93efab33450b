/** Edge functions have no files beside their script: there the model's address is that of the published package. */
export default new URL("https://cdn.jsdelivr.net/npm/siskin-nano@0.1.0/nano.gguf");
