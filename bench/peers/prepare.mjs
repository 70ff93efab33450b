/** Installs the peers and makes the model files they need, once, in bench/peers/.cache. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SHAPES } from "./shapes.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
/** Everything made here. */
export const CACHE = `${here}.cache`;
const PYTHON = `${CACHE}/python/bin/python`;

/**
 * The packages of package.json, without optional ones, which hold native builds for every graphics card. Not by `npm ci`: it
 * refuses a lock that lacks the optional packages which a registry does not have for every platform.
 */
export function installPeers() {
  if (!existsSync(`${here}node_modules`)) {
    run("npm", ["install", "--no-save", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]);
  }
}

/** ONNX models of one product each. @returns their folder */
export function makeOperators() {
  const folder = `${CACHE}/operators`;
  if (!existsSync(folder)) {
    installPython();
    mkdirSync(folder, { recursive: true });
    run(PYTHON, ["onnx_operators.py", folder, ...new Set(SHAPES.map(([, depth, columns]) => `${depth}x${columns}`))]);
  }
  return folder;
}

/** The model in other forms. @returns paths of a GGUF file in Q8_0 and of an ONNX decoder */
export function makeModels(gguf) {
  const [q8, onnx] = [`${CACHE}/Q8_0.gguf`, `${CACHE}/decoder.onnx`];
  if (!existsSync(q8) || !existsSync(onnx)) {
    installPython();
    run(PYTHON, ["requantise.py", gguf, q8]);
    run(PYTHON, ["onnx_decoder.py", gguf, onnx]);
  }
  return { q8, onnx };
}

function installPython() {
  if (existsSync(PYTHON)) return;
  mkdirSync(CACHE, { recursive: true });
  run("python3", ["-m", "venv", `${CACHE}/python`]);
  run(PYTHON, ["-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"]);
}

function run(command, words) {
  execFileSync(command, words, { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
}
