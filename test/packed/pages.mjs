/** Pages in headless Chromium: as they are, and through each bundler, whose recipes stand in docs/bundlers.md. */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build as esbuild } from "esbuild";
import * as assert from "uvu/assert";
import { browserVersion, executablePath, isolation, openPage, serve } from "./browser.mjs";
import { inputs, same } from "./same.mjs";
import { app, test, tools } from "./support.mjs";

/** Calls a function that the page defines, with the inputs. */
async function call(url, name) {
  return openPage(url, async (page) => {
    const evaluate = async () => {
      await page.waitForFunction(`globalThis.${name}`, null, { timeout: 60_000 });
      return page.evaluate(`${name}(${JSON.stringify(inputs)})`);
    };
    // A development server that finds a new dependency loads the page again.
    return evaluate().catch(evaluate);
  });
}

const html = (script, head = "") =>
  `<!doctype html><meta charset="utf-8"><title>siskin</title>${head}<script type="module" src="${script}"></script>`;

/** Tries a page on every thread that it gets. */
async function tryPage(name, url, threads = 2) {
  const result = await call(url, "start");
  if (threads > 1) assert.ok(result.threads > 1, result.reason);
  else assert.is(result.threads, threads);
  same(name.replace("VERSION", browserVersion()), result);
  return result;
}

const importMap = `<script type="importmap">${JSON.stringify({
  imports: {
    siskin: "/node_modules/siskin/dist/browser.js",
    "siskin-nano": "/node_modules/siskin-nano/index.js",
  },
})}</script>`;

test(
  "Chromium, an import map",
  async () => {
    writeFileSync(join(app, "plain.html"), html("/page.js", importMap));
    const server = await serve(app);
    await tryPage("Chromium VERSION, import map", `${server.url}plain.html`);
    server.close();
  },
  executablePath,
);

test(
  "Chromium, no isolation: one thread, and why",
  async () => {
    const server = await serve(app, {});
    const result = await tryPage("Chromium VERSION, not isolated", `${server.url}plain.html`, 1);
    assert.match(
      result.reason,
      /Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp/,
    );
    const refused = await call(`${server.url}plain.html`, "twoThreads");
    assert.match(refused, /^UnsupportedError: 2 threads cannot be had: .*Cross-Origin-Opener-Policy/);
    server.close();
  },
  executablePath,
);

test(
  "Chromium, a policy that forbids workers: one thread, and why",
  async () => {
    const server = await serve(app, { ...isolation, "Content-Security-Policy": "worker-src 'none'" });
    const result = await tryPage("Chromium VERSION, no workers", `${server.url}plain.html`, 1);
    assert.match(result.reason, /^A worker thread could not be started: /);
    server.close();
  },
  executablePath,
);

test(
  "esbuild",
  async () => {
    const outdir = join(app, "esbuild");
    await esbuild({ entryPoints: [join(app, "page.js")], outdir, bundle: true, format: "esm", logLevel: "warning" });
    // The recipe of docs/bundlers.md: esbuild takes no files along.
    for (const name of [
      "core.wasm",
      "core.relaxed.wasm",
      "core.shared.wasm",
      "core.relaxed.shared.wasm",
      "worker-web.js",
    ]) {
      cpSync(join(app, "node_modules/siskin/dist", name), join(outdir, name));
    }
    cpSync(join(app, "node_modules/siskin-nano/nano.gguf"), join(outdir, "nano.gguf"));
    writeFileSync(join(outdir, "index.html"), html("./page.js"));
    const server = await serve(outdir);
    await tryPage("Chromium VERSION, esbuild", server.url);
    server.close();
  },
  executablePath,
);

for (const version of [6, 7, 8]) {
  const needed = [executablePath, tools(`vite-${version}`)];
  const vite = () => import(pathToFileURL(join(tools(`vite-${version}`), "dist/node/index.js")).href);
  const root = join(app, `vite-${version}`);
  const prepare = () => {
    if (existsSync(root)) return;
    mkdirSync(root);
    for (const name of ["page.js", "task.js"]) cpSync(join(app, name), join(root, name));
    cpSync(join(app, "node_modules"), join(root, "node_modules"), { recursive: true });
    rmSync(join(root, "node_modules/.vite"), { recursive: true, force: true });
    writeFileSync(join(root, "package.json"), JSON.stringify({ type: "module", dependencies: { siskin: "*" } }));
    writeFileSync(join(root, "index.html"), html("/page.js"));
  };

  test(
    `Vite ${version}, development server`,
    async () => {
      prepare();
      const { createServer } = await vite();
      const server = await createServer({
        root,
        configFile: false,
        logLevel: "error",
        server: { port: 0, headers: isolation },
      });
      await server.listen();
      try {
        await tryPage(`Chromium VERSION, Vite ${version} dev`, server.resolvedUrls.local[0]);
      } finally {
        await server.close();
      }
    },
    needed,
  );

  test(
    `Vite ${version}, build`,
    async () => {
      prepare();
      const { build } = await vite();
      await build({ root, configFile: false, logLevel: "error", build: { outDir: "out", emptyOutDir: true } });
      const server = await serve(join(root, "out"));
      await tryPage(`Chromium VERSION, Vite ${version} build`, server.url);
      server.close();
    },
    needed,
  );
}

test(
  "webpack 5",
  async () => {
    const webpack = createRequire(import.meta.url)("webpack");
    const path = join(app, "webpack");
    const configuration = {
      mode: "production",
      context: app,
      entry: "./page.js",
      output: { path, filename: "page.js" },
    };
    await new Promise((done, fail) => {
      webpack({ ...configuration, performance: { hints: false } }, (error, stats) =>
        error || stats.hasErrors() ? fail(error ?? new Error(stats.toString("errors-only"))) : done(),
      );
    });
    writeFileSync(join(path, "index.html"), html("./page.js"));
    const server = await serve(path);
    await tryPage("Chromium VERSION, webpack 5", server.url);
    server.close();
  },
  executablePath,
);
