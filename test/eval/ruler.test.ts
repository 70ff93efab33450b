/** RULER's tasks against prompts that RULER's own scripts wrote: the same words around what is drawn, in the same places. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError } from "../../src/errors.ts";
import { type Corpus, parseCorpus } from "../../src/eval/corpus.ts";
import { makeRulerTask, rulerNames } from "../../src/eval/ruler.ts";
import { loadModel } from "../../src/runtimes/node.ts";

interface Recorded {
  readonly squad: object;
  readonly hotpotqa: object;
  readonly tasks: Readonly<Record<string, { input: string; answerPrefix: string; outputs: string[] }>>;
}

const test = suite("ruler");
const { tokenizer } = await loadModel("models/nano");
const recorded: Recorded = JSON.parse(gunzipSync(readFileSync("test/fixtures/eval/ruler.json.gz")).toString());
const squad = parseCorpus(JSON.stringify(recorded.squad), "squad.json");
const hotpotqa = parseCorpus(JSON.stringify(recorded.hotpotqa), "hotpotqa.json");
const corpusOf = (name: string): Corpus | undefined => ({ qa_1: squad, qa_2: hotpotqa })[name];
const make = (name: string, length = 1500, seed = 3, index = 0) =>
  makeRulerTask(tokenizer, name, length, seed, index, { corpus: corpusOf(name) });

/** What is drawn, replaced by what it is. */
const masked = (text: string) =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, "UUID")
    .replace(/\b\d{7}\b/g, "NUMBER")
    .replace(/\bfor [a-z]+-[a-z]+(?:-[a-z]+)*(?=[ ,])/gi, "for KEY")
    .replace(/\b[a-z]+-[a-z]+, (?=[a-z]+-[a-z]+|and )/g, "KEY, ")
    .replace(/\band [a-z]+-[a-z]+ mentioned/g, "and KEY mentioned")
    .replace(/\bVAR [A-Z]{5}\b/g, "VAR XXXXX")
    .replace(/\bVAR [A-Z]{3}\b/g, "VAR XXX")
    .replace(/(?: [A-Z]{3}){5}/g, " XXX XXX XXX XXX XXX")
    .replace(/\b[1-9]\d{4}\b/g, "VALUE");
const prompt = (name: string, { text, question }: { text: string; question: string }) =>
  `${text}${name.startsWith("qa") ? "\n\n" : "\n"}${question}`;
/** Different lines and sentences. */
const pieces = (text: string) => [...new Set(masked(text).split(/\n|(?<=[.!?:]) /))].sort();
const counts = (words: readonly string[]) => {
  const found = new Map<string, number>();
  for (const word of words) found.set(word, (found.get(word) ?? 0) + 1);
  return [...found.values()].sort((a, b) => b - a);
};

for (const name of rulerNames) {
  const { input, answerPrefix, outputs } = recorded.tasks[name]!;

  test(`${name}: question, answer's start and number of answers as RULER's`, () => {
    const task = make(name);
    const question = input.slice(input.lastIndexOf(name.startsWith("qa") ? "\n\nAnswer the" : "\n")).trim();
    if (name.startsWith("qa")) assert.is(task.question, question);
    else assert.is(masked(task.question), masked(question));
    assert.is(masked(task.answerStart!), masked(answerPrefix));
    assert.is(task.answers.length, outputs.length);
    assert.is(prompt(name, task).slice(0, 60), input.slice(0, 60));
  });

  test(`${name}: fills its length, the same seed gives the same, and the evidence is the answers`, () => {
    const length = 4096;
    const task = make(name, length);
    const total = [task.text, task.question, task.answerStart!].reduce(
      (sum, text) => sum + tokenizer.encode(text).length,
      task.maxTokens,
    );
    // The made-up documents come in steps of one, the counted words in steps of all that one more makes.
    assert.ok(total <= length && total > 0.97 * length, `${total} of ${length}`);
    assert.equal(make(name, length), task);
    assert.is.not(make(name, length, 4).text, task.text);
    for (const [place, { first, end }] of task.evidence.entries()) {
      const words = tokenizer.decode(task.tokens.subarray(first, end));
      assert.ok(words.includes(task.answers[place]!), `${words} without ${task.answers[place]}`);
    }
    if (name !== "cwe" && name !== "fwe") {
      for (const answer of task.answers) assert.ok(task.passage!.includes(answer));
    } else assert.is(task.passage, undefined);
  });
}

for (const name of ["niah_single_1", "niah_multikey_2", "niah_multikey_3", "vt"]) {
  test(`${name}: no other lines than RULER's`, () => {
    assert.equal(pieces(prompt(name, make(name))), pieces(recorded.tasks[name]!.input));
  });
}

for (const name of ["niah_single_2", "niah_single_3", "niah_multikey_1", "niah_multivalue", "niah_multiquery"]) {
  test(`${name}: the prose from its start, and as many needles as RULER's`, () => {
    const split = (text: string) => {
      const sentences = masked(text)
        .replace(/\s+/g, " ")
        .split(/(?<=[.!?]) /);
      return {
        needles: masked(text).match(/One of the special magic \w+ for KEY is: \w+\./g),
        prose: sentences.filter((sentence) => !/special magic|memorize it|quiz you/.test(sentence)),
      };
    };
    const [ours, theirs] = [split(prompt(name, make(name))), split(recorded.tasks[name]!.input)];
    assert.equal(ours.needles, theirs.needles);
    // The last sentence is cut, by a word count that is the tokenizer's.
    const common = Math.min(ours.prose.length, theirs.prose.length) - 1;
    assert.ok(common > 20);
    assert.equal(ours.prose.slice(0, common), theirs.prose.slice(0, common));
  });
}

test("cwe: ten words thirty times, the others three times, below an example of forty words", () => {
  const lists = (text: string) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("1. "))
      .map((line) => [...line.matchAll(/\d+\. (\S+)/g)].map(([, word]) => word!));
  const task = make("cwe", 6000);
  const [ours, theirs] = [lists(task.text), lists(recorded.tasks.cwe!.input)];
  assert.equal(counts(ours[0]!), counts(theirs[0]!));
  for (const list of [ours[1]!, theirs[1]!]) {
    assert.equal([...new Set(counts(list))], [30, 3]);
    assert.is(counts(list).filter((count) => count === 30).length, 10);
  }
  for (const answer of task.answers) assert.is(ours[1]!.filter((word) => word === answer).length, 30);
});

test("fwe: words as frequent as RULER's zeta distribution makes them", () => {
  const coded = (text: string) => text.split("coded words. ")[1]!.split("\n")[0]!.split(" ");
  const frequencies = (text: string) => counts(coded(text));
  const theirs = frequencies(recorded.tasks.fwe!.input);
  // The first count fixes the number of words drawn, and with it every other.
  const task = make("fwe", 4096);
  const ours = frequencies(task.text);
  for (const list of [theirs, ours]) {
    const [low, high] = [list[0]!, list[0]! + 1];
    for (const [rank, count] of list.entries()) {
      const share = (rank + 1) ** -2;
      assert.ok(count >= Math.floor(low * share) && count <= Math.floor(high * share), `${count} of rank ${rank + 1}`);
    }
  }
  const words = coded(task.text);
  assert.is(words.filter((word) => word === "...").length, ours[0]);
  task.answers.forEach((answer, rank) => {
    assert.is(words.filter((word) => word === answer).length, ours[rank + 1]);
  });
});

test("qa_1 and qa_2: numbered documents, the one that answers among them", () => {
  for (const name of ["qa_1", "qa_2"]) {
    const known = new Set(corpusOf(name)!.passages.map(({ text }) => text));
    for (const text of [make(name).text, recorded.tasks[name]!.input]) {
      const documents = text.split(/\n\n(?=Document \d+:\n)/).slice(1);
      documents.forEach((document, index) => {
        const [, number, words] = /^Document (\d+):\n(.*?)(?:\n\nAnswer the question.*)?$/s.exec(document)!;
        assert.is(Number(number), index + 1);
        assert.ok(known.has(words!), words);
      });
    }
  }
});

test("a length that holds no prompt, and a missing file of questions, are refused", () => {
  const refused = (message: RegExp) => (error: unknown) =>
    error instanceof ArgumentError && message.test(error.message);
  assert.throws(() => make("niah_single_1", 150), refused(/150 tokens.*niah_single_1/));
  assert.throws(() => makeRulerTask(tokenizer, "qa_2", 900, 1, 0, {}), refused(/qa_2.*HotpotQA's.*--questions/));
});

test.run();
