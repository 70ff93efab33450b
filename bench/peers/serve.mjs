/** Serves folders on localhost, isolated from other origins so that pages may have threads. */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";

const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const HEADERS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

/** Serves /MOUNT/... from `mounts` (name to folder or file), and an empty page at /blank. @returns {Promise<{origin, close}>} */
export function serve(mounts) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    if (path === "/blank") return response.writeHead(200, { ...HEADERS, "content-type": "text/html" }).end();
    const [, mount, ...rest] = path.split("/");
    const file = mounts[mount] && !rest.includes("..") && join(mounts[mount], ...rest);
    const found = file && statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile()) return response.writeHead(404, HEADERS).end();
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { ...HEADERS, "content-type": type, "content-length": found.size });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () =>
      resolve({ origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }),
    );
  });
}
