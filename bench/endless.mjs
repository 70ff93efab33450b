/** Generates 50,000 tokens with nano in constant memory and prints what memory, time and the text's perplexity do: `npm run bench:endless [TOKENS]`. */
import process from "node:process";
import { loadModel } from "../dist/node.js";

const total = Number(process.argv[2] ?? 50_000);
const BLOCK = 2000;
const model = await loadModel("models/nano");
const session = model.createSession();
const prompt = "The old house stood at the end of the lane, and";
const options = { maxTokens: total, temperature: 0.8, seed: 1, ignoreEnd: true, budget: 1024, every: 256 };

/** Perplexity of tokens read by a fresh session: every block is seen alike, and whole. */
function perplexity(tokens) {
  const scorer = model.createSession();
  const losses = scorer.negativeLogLikelihoods([model.tokenizer.bosToken, ...tokens]);
  scorer.dispose();
  return Math.exp(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
}

console.log("tokens | ms/token | entries | peak MB");
const blocks = [];
let text = "";
let started = performance.now();
let counted = session.absolutePosition;
let mark = BLOCK;
for await (const piece of session.generate(prompt, options)) {
  text += piece;
  if (session.absolutePosition < mark) continue;
  const milliseconds = (performance.now() - started) / (session.absolutePosition - counted);
  const megabytes = model.memory.peakBytes / 1e6;
  const entries = session.cacheLength(0, 0);
  console.log([session.absolutePosition, milliseconds.toFixed(2), entries, megabytes.toFixed(2)].join(" | "));
  blocks.push(text);
  text = "";
  mark += BLOCK;
  counted = session.absolutePosition;
  started = performance.now();
}
// Afterwards, as scoring takes memory of its own.
const perplexities = blocks.map((block) => perplexity(model.tokenizer.encode(block).subarray(0, BLOCK)));
console.log(`perplexity of each ${BLOCK} tokens: ${perplexities.map((value) => value.toFixed(2)).join(", ")}`);
console.log(`the end: ${blocks.at(-1)?.slice(-300)}`);
model.dispose();
