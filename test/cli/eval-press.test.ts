/** `siskin eval --press`: a method from a file, written against `siskin/press` alone. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("eval --press");
const folder = mkdtempSync(join(tmpdir(), "siskin-press-"));
test.after(() => rmSync(folder, { recursive: true }));

const small = [
  "--methods",
  "all",
  "--tasks",
  "keys",
  "--lengths",
  "500",
  "--budgets",
  "96",
  "--documents",
  "1",
  "--no-baselines",
];
const evaluate = (file: string) =>
  promisify(execFile)(process.execPath, ["dist/cli.js", "eval", "--press", file, ...small]);

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test("the example is twenty lines at most, and is measured beside the whole cache", async () => {
  assert.ok(readFileSync("examples/press.mjs", "utf8").trim().split("\n").length <= 20);
  const { stdout } = await evaluate("examples/press.mjs");
  assert.match(stdout, /attendedvalues/);
  assert.match(stdout, /all/);
});

test("a plain object is a press, too", async () => {
  const plain = file(
    "plain.mjs",
    `export default { kind: "score", name: "newest", score: (layer) => [...Array(layer.kvHeads).keys()].map((head) => Float32Array.from(layer.positions(head))) };`,
  );
  assert.match((await evaluate(plain)).stdout, /newest/);
});

test("what is no press is named with its file, before a model is loaded", async () => {
  for (const [content, message] of [
    ["export const x = 1;", /default export of .*none\.mjs should be one, such as press\("knorm"\), and is undefined/],
    ["export default {", /none\.mjs cannot be loaded: /],
    [`throw new Error("its own");`, /cannot be loaded: its own/],
    [`export default { kind: "steps", name: "s", begin() {} };`, /s press cannot be the default export of/],
  ] as const) {
    const fault = await evaluate(file("none.mjs", content)).catch((error) => error);
    assert.match(fault.stderr, message);
  }
  assert.match((await evaluate("nowhere.mjs").catch((error) => error)).stderr, /nowhere\.mjs cannot be loaded/);
});

test("siskin/press reaches neither the core nor a file system", async () => {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const code = readFileSync(path, "utf8");
    assert.not.match(code, /\.wasm|node:/, path);
    for (const [, name] of code.matchAll(/from "(\.[^"]+)"/g)) visit(join(dirname(path), name!));
  };
  visit("dist/press.js");
  const script = `const p = await import("siskin/press"); const s = await import("siskin");
    console.log(p.snapKV === s.snapKV, p.press === s.press, p.ArgumentError === s.ArgumentError, typeof p.definePress);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  assert.is(stdout.trim(), "true true true function");
});

test.run();
