declare global {
  // Merges with that of lib.dom or @types/node; without either the name would be unknown.
  interface URL {}
}

/**
 * Where the model's only file, nano.gguf, lies: `loadModel(nano)`. A file: URL on Node, Deno and Bun, the file's URL in
 * browsers and bundles, that of the published package at jsDelivr in edge functions.
 */
declare const nano: URL;
export default nano;
