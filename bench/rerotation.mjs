/**
 * Measures why re-rotation matters and prints it as a Markdown table: `npm run example:rerotation`.
 *
 * The embedded model, whose window is 4,096 tokens, reads two documents with 8 planted facts each in several ways.
 * Where it is not said otherwise, one reading serves all 8 questions. About three minutes on two processors.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ContextError, finch, loadModel, siskin } from "siskin";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const model = await loadModel(path("../models/nano"), { threads: "auto" });
const chapter = openDocument("../test/fixtures/documents/chapter");
const story = openDocument("../examples/documents/story");

console.log("| document, tokens | entries kept | how | right answers | the first answer |");
console.log("|---|---|---|---|---|");

// Within the window: the whole document is read, then all but some entries are dropped.
await row(chapter, "all", "-", () => answers(chapter, readWhole(chapter)));
const kept = await choose(chapter, 1024);
await row(chapter, 1024, 'survivors keep the angle they were written with ("stale")', () => {
  const session = readWhole(chapter);
  session.compress(stale(kept));
  return answers(chapter, session);
});
await row(chapter, 1024, "the same survivors, re-rotated", () => {
  const session = readWhole(chapter);
  session.keep(everywhere(kept));
  return answers(chapter, session);
});
await row(chapter, 128, "`siskin`, contiguous, read once for each question", () => answersEach(chapter, 128));

// Four windows.
const unbounded = { scheme: "original", contextSize: Number.POSITIVE_INFINITY };
await row(story, "all", "original positions", () => answers(story, readWhole(story, { scheme: "original" })));
await row(story, "all", "the same, the window's limit lifted", () => answers(story, readWhole(story, unbounded)));
await row(story, 512, "`siskin`, original positions", async () =>
  answers(story, await read(story, {}, { scheme: "original" })),
);
await row(story, 512, "the same, the window's limit lifted", async () =>
  answers(story, await read(story, {}, unbounded)),
);
await row(story, 512, "FINCH as published, contiguous", async () =>
  answers(story, await read(story, { press: finch() })),
);
await row(story, 512, "`siskin` without reach, contiguous", async () =>
  answers(story, await read(story, { press: siskin({ reach: { before: 0, after: 0 } }) })),
);
await row(story, 512, "`siskin`, contiguous", async () => answers(story, await read(story)));
await row(story, 128, "`siskin`, contiguous, read once for each question", () => answersEach(story, 128));
model.dispose();

/** Prints a row. @param measure gives the answers to the document's questions */
async function row(document, entries, how, measure) {
  let results;
  try {
    const given = await measure();
    const right = document.questions.filter(({ answer }, index) => given[index].includes(answer)).length;
    results = [`${right} of ${given.length}`, JSON.stringify(shorten(given[0]))];
  } catch (error) {
    if (!(error instanceof ContextError)) throw error;
    results = ["refused", `${error.name}: ${error.message}`];
  }
  const cells = [document.tokens.length.toLocaleString("en-US"), entries.toLocaleString("en-US"), how, ...results];
  console.log(`| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
}

/** The answers of a session that has read a document; ends the session. */
async function answers(document, session) {
  const given = [];
  for (const { question } of document.questions) {
    let answer = "";
    for await (const piece of session.ask(question, { maxTokens: 40 })) answer += piece;
    given.push(answer);
  }
  session.dispose();
  return given;
}

/** The answers of one reading for each question. */
async function answersEach({ tokens, questions }, budget) {
  const given = [];
  for (const question of questions) {
    const document = { tokens, questions: [question] };
    given.push(...(await answers(document, await read(document, { budget }))));
  }
  return given;
}

/** A session that has read a document in one piece, as it is. */
function readWhole(document, options) {
  const session = model.createSession(options);
  session.prefill([...model.frame.head, ...document.tokens]);
  return session;
}

/** A session that has read a document chunk by chunk. */
async function read(document, options, sessionOptions) {
  const session = model.createSession(sessionOptions);
  await session.read(document.tokens, { questions: document.questions.map(({ question }) => question), ...options });
  return session;
}

/** Where in a text read in one piece the entries stand that the press would keep. */
async function choose(document, budget) {
  const session = await read(document, { budget, chunkLength: 4096 }, { scheme: "original" });
  const positions = session.positions(0, 0);
  session.dispose();
  return positions;
}

/** The same entries for all layers and heads. */
function everywhere(entries) {
  const { layers, kvHeads } = model.config;
  return Array.from({ length: layers }, () => Array.from({ length: kvHeads }, () => entries));
}

/**
 * A press that does what a cache does that forgets to re-rotate. A contiguous session turns survivors back to
 * 0..n-1, so here they are turned forward by as much before.
 */
function stale(entries) {
  const select = (layer) => {
    const { headSize, frequencies } = layer;
    const heads = Array.from({ length: layer.kvHeads }, (_, head) => layer.keys(head));
    return {
      kept: heads.map(() => entries),
      keys: heads.map((keys) => turnForward(keys, entries, headSize, frequencies.inverseFrequencies)),
    };
  };
  return { kind: "select", name: "stale", select };
}

/** The given rows of keys [rows, headSize], each turned by as many positions as it is about to move down. */
function turnForward(keys, entries, headSize, inverseFrequencies) {
  const turned = new Float32Array(entries.length * headSize);
  const half = headSize / 2;
  for (const [place, entry] of entries.entries()) {
    for (let pair = 0; pair < half; pair++) {
      const angle = (entry - place) * inverseFrequencies[pair];
      const [x, y] = [keys[entry * headSize + pair], keys[entry * headSize + half + pair]];
      turned[place * headSize + pair] = x * Math.cos(angle) - y * Math.sin(angle);
      turned[place * headSize + half + pair] = x * Math.sin(angle) + y * Math.cos(angle);
    }
  }
  return turned;
}

function openDocument(name) {
  const { questions } = JSON.parse(readFileSync(path(`${name}.json`), "utf8"));
  return { questions, tokens: model.tokenizer.encode(readFileSync(path(`${name}.txt`), "utf8")) };
}

function shorten(text) {
  return text.length > 50 ? `${text.slice(0, 50)}...` : text;
}
