/** Whole models: the same prompts through every engine, job after job in turn, so that noise hits all of a round alike. */
import { readFileSync } from "node:fs";
import { loadModel } from "../../dist/node.js";
import { browser, nodeEngine } from "./hosts.mjs";

const PROMPTS = [128, 512, 2048];
/** Longer prompts are run once only where an engine takes minutes for them. */
const LONG_PROMPT = 2048;

/** Who answers on which form of the weights, and which of Siskin's are compared with it. */
const ENGINES = [
  { name: "siskin Q4_1, Node", on: "node", engine: "siskin", model: "q4" },
  { name: "siskin Q4_1, Chromium", on: "page", engine: "siskin", model: "q4" },
  { name: "siskin Q8_0, Node", on: "node", engine: "siskin", model: "q8" },
  { name: "siskin Q8_0, Chromium", on: "page", engine: "siskin", model: "q8" },
  { name: "siskin Q4_1, 8-bit cache, Node", on: "node", engine: "siskin", model: "q4", cache: "q8" },
  { name: "siskin Q8_0, 8-bit cache, Chromium", on: "page", engine: "siskin", model: "q8", cache: "q8" },
  {
    name: "llama.cpp Q4_1, native",
    on: "node",
    engine: "llama",
    model: "q4",
    rivals: ["siskin Q4_1, Node", "siskin Q4_1, 8-bit cache, Node"],
  },
  { name: "llama.cpp Q8_0, native", on: "node", engine: "llama", model: "q8", rivals: ["siskin Q8_0, Node"] },
  {
    name: "wllama Q4_1, Chromium",
    on: "page",
    engine: "wllama",
    model: "q4",
    slow: true,
    rivals: ["siskin Q4_1, Chromium"],
  },
  {
    name: "wllama Q8_0, Chromium",
    on: "page",
    engine: "wllama",
    model: "q8",
    slow: true,
    rivals: ["siskin Q8_0, Chromium"],
  },
  {
    name: "wllama Q8_0, f32 cache, Chromium",
    on: "page",
    engine: "wllama",
    model: "q8",
    slow: true,
    rivals: ["siskin Q8_0, Chromium", "siskin Q8_0, 8-bit cache, Chromium"],
    settings: { flash_attn: false, cache_type_k: "f32", cache_type_v: "f32" },
  },
  {
    name: "onnxruntime-web int8, Chromium",
    on: "page",
    engine: "onnxruntime",
    model: "onnx",
    slow: true,
    rivals: ["siskin Q8_0, Chromium"],
  },
];

/** What each engine imports in a page. */
const LIBRARIES = {
  siskin: { library: "/siskin/browser.js" },
  wllama: {
    library: "/peers/node_modules/@wllama/wllama/esm/index.js",
    wasm: "/peers/node_modules/@wllama/wllama/esm/wasm/wllama.wasm",
  },
  onnxruntime: { library: "/peers/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs" },
};

/**
 * Measures every engine.
 * @param files paths of the model as Q4_1 and Q8_0 GGUF files and as an ONNX decoder
 */
export async function modelTable(files, { quick, threads }) {
  const prompts = await makePrompts(files.q4, quick ? PROMPTS.slice(0, 1) : PROMPTS);
  const folder = new URL(".", import.meta.url).pathname;
  const chromium = await browser({
    siskin: "dist",
    peers: folder,
    "q4.gguf": files.q4,
    "q8.gguf": files.q8,
    "decoder.onnx": files.onnx,
  });
  const pageFiles = { q4: "/q4.gguf", q8: "/q8.gguf", onnx: "/decoder.onnx" };
  const measured = [];
  try {
    for (const entry of ENGINES) {
      const { engine, model, on, cache, settings } = entry;
      const options = { threads, cache, settings };
      const opened =
        on === "node"
          ? await nodeEngine(new URL(`./engines/${engine}.mjs`, import.meta.url).href, {
              ...options,
              model: files[model],
              library: new URL("../../dist/node.js", import.meta.url).href,
            })
          : await chromium.open(`/peers/engines/${engine}.mjs`, {
              ...options,
              ...LIBRARIES[engine],
              model: pageFiles[model],
            });
      measured.push({ ...entry, opened, rates: {}, tokens: {} });
    }
    const decode = quick ? 8 : 32;
    for (const each of measured) await each.opened.run({ ...prompts[0], decode: 4 });
    for (const prompt of prompts) {
      for (let round = 0; round < (quick ? 1 : 3); round++) {
        for (const each of measured) {
          if (round > 0 && each.slow && prompt.tokens.length >= LONG_PROMPT) continue;
          const { prefillMs, decodeMs, tokens } = await each.opened.run({ ...prompt, decode });
          const length = prompt.tokens.length;
          each.tokens[length] = tokens;
          for (const [what, rate] of [
            [`prefill ${length}`, (length * 1000) / prefillMs],
            [`decode at ${length}`, (decode * 1000) / decodeMs],
          ]) {
            each.rates[what] = [...(each.rates[what] ?? []), rate];
          }
        }
      }
    }
  } finally {
    for (const { opened } of measured) await opened.close();
    await chromium.close();
  }
  return { title: `SmolLM2-135M-Instruct, ${threads} thread${threads > 1 ? "s" : ""}`, rows: rowsOf(measured) };
}

/**
 * One row for each measure and engine; Siskin's say how many times the others' medians they are. Then how many of the
 * produced tokens are the same before the first that differs: other quantisations may choose otherwise where two are close.
 */
function rowsOf(measured) {
  const middle = (rates) => rates.toSorted((a, b) => a - b)[rates.length >> 1];
  const rates = Object.keys(measured[0].rates).flatMap((what) =>
    measured.map(({ name, rates }) => ({
      what: `${what}: ${name}`,
      unit: "tokens/s",
      median: middle(rates[what]),
      best: Math.max(...rates[what]),
      ratios: measured
        .filter(({ rivals }) => rivals?.includes(name))
        .map((other) => ({ value: middle(rates[what]) / middle(other.rates[what]), to: other.name })),
    })),
  );
  const same = Object.entries(measured[0].tokens).flatMap(([length, own]) =>
    measured
      .filter(({ tokens }) => tokens[length].length > 0)
      .map(({ name, tokens }) => {
        const different = tokens[length].findIndex((token, index) => token !== own[index]);
        const count = different < 0 ? own.length : different;
        return {
          what: `tokens at ${length} as ${measured[0].name}'s: ${name}`,
          unit: `of ${own.length}`,
          median: count,
        };
      }),
  );
  return [...rates, ...same];
}

/** Prompts of exactly so many tokens, as text and tokens: the first of a licence, which every tokenizer takes alike. */
async function makePrompts(path, lengths) {
  const model = await loadModel(path);
  const { tokenizer } = model;
  const license = readFileSync("LICENSE", "utf8");
  const prompts = lengths.map((length) => {
    const tokens = [...tokenizer.encode(license).subarray(0, length)];
    const text = tokenizer.decode(tokens);
    if (tokenizer.encode(text).join() !== tokens.join())
      throw new Error(`The first ${length} tokens are no text of their own`);
    return { text, tokens };
  });
  model.dispose();
  return prompts;
}
