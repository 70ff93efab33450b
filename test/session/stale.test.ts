/** The claim that started the project: survivors that keep the angle they were written with answer gibberish; turned, they answer. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { SelectPress } from "../../src/press/press.ts";
import { loadModel, type Session } from "../../src/runtimes/node.ts";
import { documentPath } from "../support/documents.ts";

const test = suite("stale positions");
const model = await loadModel("models/nano", { weights: "q8" });
test.after(() => model.dispose());

const { questions } = JSON.parse(readFileSync(`${documentPath}.json`, "utf8")) as {
  questions: { question: string; answer: string }[];
};
const document = model.tokenizer.encode(readFileSync(`${documentPath}.txt`, "utf8"));
const { layers, kvHeads, headSize } = model.config;

/**
 * What a cache does that forgets to re-rotate: keys stay as they were written while the next token sits at the cache's
 * length. A contiguous session turns survivors back to 0..n-1, so here they are turned forward by as much before.
 */
function stale(entries: Int32Array): SelectPress {
  return {
    kind: "select",
    name: "stale",
    select: (layer) => {
      const heads = Array.from({ length: kvHeads }, (_, head) => layer.keys(head));
      const { inverseFrequencies } = layer.frequencies;
      return {
        kept: heads.map(() => entries),
        keys: heads.map((keys) => turnForward(keys, entries, inverseFrequencies)),
      };
    },
  };
}

/** The given rows of keys [rows, headSize], each turned by as many positions as it is about to move down. */
function turnForward(keys: Float32Array, entries: Int32Array, inverseFrequencies: ArrayLike<number>): Float32Array {
  const turned = new Float32Array(entries.length * headSize);
  const half = headSize / 2;
  for (const [place, entry] of entries.entries()) {
    for (let pair = 0; pair < half; pair++) {
      const angle = (entry - place) * inverseFrequencies[pair]!;
      const x = keys[entry * headSize + pair]!;
      const y = keys[entry * headSize + half + pair]!;
      turned[place * headSize + pair] = x * Math.cos(angle) - y * Math.sin(angle);
      turned[place * headSize + half + pair] = x * Math.sin(angle) + y * Math.cos(angle);
    }
  }
  return turned;
}

async function rightAnswers(session: Session): Promise<number> {
  let right = 0;
  for (const { question, answer } of questions) {
    let given = "";
    for await (const piece of session.ask(question, { maxTokens: 40 })) given += piece;
    if (given.includes(answer)) right++;
  }
  return right;
}

test("1,024 of 3,463 tokens: none of eight answers is right stale, all are re-rotated", async () => {
  // What is to be kept is chosen in the original scheme, over the whole document at once.
  const chooser = model.createSession({ scheme: "original" });
  const asked = questions.map(({ question }) => question);
  await chooser.read(document, { questions: asked, budget: 1024, chunkLength: 4096 });
  const kept = chooser.positions(0, 0);
  chooser.dispose();
  assert.is(kept.length, 1024);

  const whole = model.createSession();
  whole.prefill([...model.frame.head, ...document]);
  const [left, turned] = [whole.fork(), whole.fork()];
  left.compress(stale(kept));
  turned.keep(Array.from({ length: layers }, () => Array.from({ length: kvHeads }, () => kept)));
  // The same entries; the stale ones' keys are those that the whole document's cache has.
  assert.equal(left.positions(3, 1), turned.positions(3, 1));
  const [before, after] = [whole.keys(3, 1), left.keys(3, 1)];
  for (const [place, entry] of kept.entries()) {
    for (let i = 0; i < headSize; i++) {
      assert.ok(Math.abs(after[place * headSize + i]! - before[entry * headSize + i]!) < 2e-3);
    }
  }
  assert.is(await rightAnswers(left), 0);
  assert.is(await rightAnswers(turned), questions.length);
});

test.run();
