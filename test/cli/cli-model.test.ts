/** `siskin generate` and `siskin inspect`: what they print is what the model says. */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel } from "../../src/runtimes/node.ts";
import { run } from "./siskin.ts";

const test = suite("siskin generate and inspect");
const prompt = "The captain looked at the sea and";
/** The model in float32, as it was trained. */
const exact = ["--model", "models/nano"];

test("generate prints what session.generate gives", async () => {
  const model = await loadModel("models/nano");
  let expected = "";
  for await (const piece of model.createSession().generate(prompt, { maxTokens: 24 })) expected += piece;
  model.dispose();
  const { code, stdout, stderr } = await run(["generate", prompt, "--max-tokens", "24", ...exact]);
  assert.equal({ code, stdout, stderr }, { code: 0, stdout: `${expected}\n`, stderr: "" });
});

test("the same seed draws the same text, another draws another, and one token to choose from is the likeliest", async () => {
  const words = ["generate", prompt, "--max-tokens", "24"];
  const drawn = (...more: string[]) => run([...words, ...more]).then(({ stdout }) => stdout);
  const likeliest = await drawn();
  const seven = await drawn("--temperature", "1", "--seed", "7");
  assert.is(await drawn("--temperature", "1", "--seed", "7"), seven);
  assert.is.not(await drawn("--temperature", "1", "--seed", "8"), seven);
  assert.is(await drawn("--temperature", "1", "--seed", "7", "--top-k", "1"), likeliest);
  assert.is(await drawn("--temperature", "1", "--seed", "7", "--top-p", "0.000001"), likeliest);
});

test("--budget, --every and --ignore-end: text that forgets, as session.generate's does", async () => {
  const model = await loadModel("models/nano");
  const options = { maxTokens: 48, temperature: 1, seed: 3, ignoreEnd: true };
  const generated = async (more: object) => {
    let text = "";
    for await (const piece of model.createSession().generate(prompt, { ...options, ...more })) text += piece;
    return `${text}\n`;
  };
  const words = [
    "generate",
    prompt,
    "--max-tokens",
    "48",
    "--temperature",
    "1",
    "--seed",
    "3",
    "--ignore-end",
    ...exact,
  ];
  const printed = (...more: string[]) => run([...words, ...more]).then(({ stdout }) => stdout);
  const remembering = await generated({});
  const forgetting = await generated({ budget: 8, every: 4 });
  const rarely = await generated({ budget: 8, every: 16 });
  model.dispose();
  assert.is(new Set([remembering, forgetting, rarely]).size, 3);
  assert.is(await printed(), remembering);
  assert.is(await printed("--budget", "8", "--every", "4"), forgetting);
  assert.is(await printed("--budget", "8", "--every", "16"), rarely);
});

test("--ignore-end goes on where the model would end", async () => {
  // nano, with the word "am" for a token that ends an answer.
  const folder = mkdtempSync(join(tmpdir(), "siskin-end-"));
  try {
    cpSync("models/nano", folder, { recursive: true });
    const model = await loadModel("models/nano");
    const stop = model.tokenizer.encode(" am");
    model.dispose();
    assert.is(stop.length, 1);
    for (const name of ["config.json", "generation_config.json"]) {
      const path = join(folder, name);
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), eos_token_id: stop[0] }));
    }
    const words = ["generate", prompt, "--max-tokens", "100", "--model", folder];
    const whole = await run(["generate", prompt, "--max-tokens", "100", ...exact]);
    const ended = await run(words);
    const ignored = await run([...words, "--ignore-end"]);
    assert.equal([whole.code, ended.code, ignored.code], [0, 0, 0]);
    const [sentence] = whole.stdout.split(" am");
    assert.is(ended.stdout, `${sentence}\n`);
    // What would end is never drawn.
    assert.not.ok(ignored.stdout.includes(" am "));
    assert.ok(ignored.stdout.startsWith(sentence!) && ignored.stdout.length > ended.stdout.length);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("inspect --json: sizes of the model, its tensors and its memory", async () => {
  const { code, stdout, stderr } = await run(["inspect", "--json", ...exact]);
  assert.is(code, 0);
  assert.is(stderr, "");
  const { parameters, config, tensors, tokenizer, memory, cacheBytesPerToken } = JSON.parse(stdout);
  // A safetensors file: the header's length in 8 bytes, the header, then two bytes for each number.
  const file = "models/nano/model.safetensors";
  const headerLength = Number(readFileSync(file).readBigUInt64LE(0));
  const byteLength = statSync(file).size - 8 - headerLength;
  assert.is(parameters, byteLength / 2);
  assert.equal(tensors, [{ type: "BF16", form: "f32", tensors: 74, parameters, byteLength }]);
  const declared = JSON.parse(readFileSync("models/nano/config.json", "utf8"));
  assert.is(config.maxPositions, declared.max_position_embeddings);
  assert.is(config.layers, declared.num_hidden_layers);
  assert.is(config.kvHeads, declared.num_key_value_heads);
  assert.is(tokenizer.vocabularySize, declared.vocab_size);
  assert.equal(tokenizer.eosTokens, [declared.eos_token_id]);
  assert.is(cacheBytesPerToken, 2 * 4 * declared.num_hidden_layers * declared.num_key_value_heads * declared.head_dim);
  assert.ok(memory.weightBytes >= 4 * parameters && memory.peakBytes < 1.1 * memory.weightBytes);
});

test("inspect names the types of a GGUF's tensors and how they are held", async () => {
  const { types } = JSON.parse(readFileSync("test/fixtures/gguf/tiny-old.json", "utf8"));
  const { code, stdout } = await run(["inspect", "--model", "test/fixtures/gguf/tiny-old.gguf"]);
  assert.is(code, 0);
  for (const type of Object.values(types)) if (type) assert.match(stdout, new RegExp(`\\b${type} \\(`));
  for (const line of ["window        2,048 tokens", "Q8_0 (69.6 kB) held as q8", "F16 (136 kB) held as f32"]) {
    assert.ok(stdout.includes(line), `${line} is not in\n${stdout}`);
  }
});

test.run();
