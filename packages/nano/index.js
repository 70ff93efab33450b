/** Where the model lies: `loadModel(nano)`. A literal `new URL`, so that bundlers see the file and take it along. */
const url = locate();

export default url;

function locate() {
  let file;
  try {
    file = new URL("./nano.gguf", import.meta.url);
  } catch {
    // A bundle in CommonJS does not know where it lies: it names the file by itself (docs/bundlers.md of siskin).
    return undefined;
  }
  // Vite 6 and 7 serve this script from node_modules/.vite/deps in development, and the file from its own folder.
  return new URL(file.href.replace(/\/\.vite\/deps(_temp_\w+)?\//, "/siskin-nano/"));
}
