/** Serves the folder it is run in, for the page without a bundler: `node examples/page/serve.mjs`, then open the address it prints. */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, relative, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
// Only a page that is isolated from others may use threads.
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  const file = resolve(join(".", path.endsWith("/") ? `${path}index.html` : path));
  if (relative(".", file).startsWith("..") || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end();
    return;
  }
  const type = types[extname(file)] ?? "application/octet-stream";
  response.writeHead(200, { ...isolation, "Content-Type": type });
  createReadStream(file).pipe(response);
});
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  const page = relative(".", fileURLToPath(new URL("./", import.meta.url)));
  console.log(`http://localhost:${server.address().port}/${page}/`);
});
