/** The examples of the tarball, each by the one command that it names, in a user's folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { text as textOf } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import * as assert from "uvu/assert";
import { executablePath, openPage, serve } from "./browser.mjs";
import { app, run, test, tools } from "./support.mjs";

cpSync(join(app, "node_modules/siskin/examples"), join(app, "examples"), { recursive: true });
const page = "examples/documents/page";
const [{ question, answer }] = JSON.parse(readFileSync(join(app, `${page}.json`), "utf8")).questions;

for (const [name, ...command] of [
  ["ask.mjs", process.execPath],
  ["commonjs.cjs", process.execPath],
  ["deno.mjs", resolve("node_modules/@deno/linux-x64-glibc/deno"), "run", "--allow-read"],
  ["bun.mjs", resolve("node_modules/@oven/bun-linux-x64/bin/bun")],
]) {
  test(
    `example ${name}`,
    async () => {
      const said = await run(app, ...command, `examples/${name}`, `${page}.txt`, question);
      assert.is(said.trim().split("\n").at(-1), answer);
    },
    command[0],
  );
}

test("example stream.mjs", async () => {
  const child = spawn(process.execPath, ["examples/stream.mjs", question], {
    cwd: app,
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.end(readFileSync(join(app, `${page}.txt`)));
  assert.is(await textOf(child.stdout), `${answer}\n`);
});

test("example follow.mjs: a log that grows", async () => {
  const log = join(app, "growing.log");
  const whole = readFileSync(join(app, `${page}.txt`), "utf8");
  const half = whole.lastIndexOf("\n", whole.length / 2) + 1 || Math.floor(whole.length / 2);
  writeFileSync(log, whole.slice(0, half));
  const child = spawn(process.execPath, ["examples/follow.mjs", log, question], { cwd: app, stdio: "pipe" });
  const said = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (said.length === 1) appendFileSync(log, whole.slice(half));
    else rmSync(log);
  }
  assert.is(said.length, 2, said.join("\n"));
  assert.ok(said[1].endsWith(`: ${answer}`), said.join("\n"));
});

test("example tensor-benchmark.mjs", async () => {
  await run(app, "npm", "install", "--no-save", "--no-audit", "--no-fund", "benny@3.7.1");
  assert.match(await run(app, process.execPath, "examples/tensor-benchmark.mjs"), /matmul.*ops\/s, ±[\d.]+%/s);
});

/** Presses the example page's button. */
async function askPage(url) {
  return openPage(url, async (page) => {
    await page.click("#ask");
    await page.waitForFunction(`document.getElementById("answer").value.endsWith("1873")`, null, { timeout: 60_000 });
    return page.evaluate("crossOriginIsolated");
  });
}

test(
  "example page",
  async () => {
    const child = spawn(process.execPath, ["examples/page/serve.mjs"], {
      cwd: app,
      env: { ...process.env, PORT: "0" },
      stdio: "pipe",
    });
    try {
      const [line] = await once(createInterface({ input: child.stdout }), "line");
      assert.ok(await askPage(line));
    } finally {
      child.kill();
    }
  },
  executablePath,
);

test(
  "example vite",
  async () => {
    const { build } = await import(pathToFileURL(join(tools("vite-8"), "dist/node/index.js")).href);
    const root = join(app, "examples/vite");
    await build({ root, configFile: false, logLevel: "error", build: { outDir: "dist" } });
    const server = await serve(join(root, "dist"));
    assert.ok(await askPage(server.url));
    server.close();
  },
  executablePath,
);
