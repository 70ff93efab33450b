/** The generator of tasks: the same for the same seed, of the wanted length, and what is asked is in the text. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError } from "../../src/errors.ts";
import { type Kind, kinds } from "../../src/eval/kinds.ts";
import { makePlantedTask } from "../../src/eval/planted.ts";
import { loadModel } from "../../src/runtimes/node.ts";

const test = suite("tasks");
const { tokenizer } = await loadModel("models/nano");
const names = Object.keys(kinds) as Kind[];

test("the same seed gives the same bytes, another seed or index another text", () => {
  for (const kind of names) {
    const task = makePlantedTask(tokenizer, kind, 600, 7, 2);
    assert.equal(makePlantedTask(tokenizer, kind, 600, 7, 2), task);
    assert.is.not(makePlantedTask(tokenizer, kind, 600, 8, 2).text, task.text);
    assert.is.not(makePlantedTask(tokenizer, kind, 600, 7, 3).text, task.text);
  }
});

test("lengths are within 2%, and the tokens are those of the text", () => {
  for (const length of [1_000, 2_000, 16_384, 40_000]) {
    for (const kind of names) {
      const { text, tokens } = makePlantedTask(tokenizer, kind, length, 1, 0);
      assert.ok(Math.abs(tokens.length - length) <= 0.02 * length, `${kind}: ${tokens.length} for ${length}`);
      assert.is(tokenizer.decode(tokens), text);
      if (length > 2_000) break;
    }
  }
});

test("every planted answer is in the text, where the evidence says", () => {
  for (const kind of names) {
    for (let index = 0; index < 20; index++) {
      const { text, tokens, answers, evidence, passage } = makePlantedTask(tokenizer, kind, 800, 3, index);
      assert.is(evidence.length, answers.length);
      for (const [place, { first, end }] of evidence.entries()) {
        assert.ok(text.includes(answers[place]!) && passage!.includes(answers[place]!));
        const words = tokenizer.decode(tokens.subarray(first, end));
        assert.is(words.trim(), answers[place], `${kind} ${index}: ${JSON.stringify(words)}`);
      }
    }
  }
});

test("needles are worded as in RULER", () => {
  const one = makePlantedTask(tokenizer, "needle", 600, 5, 0);
  const [, key] = /^What is the special magic number for ([a-z]+-[a-z]+) mentioned in the provided text\?$/.exec(
    one.question,
  )!;
  assert.ok(one.text.includes(`One of the special magic numbers for ${key} is: ${one.answers[0]}.`));
  assert.is(one.text.match(/special magic number/g)!.length, 1);

  const many = makePlantedTask(tokenizer, "keys", 800, 5, 0);
  const needles = [...many.text.matchAll(/One of the special magic numbers for (\S+) is: (\d{7})\./g)];
  assert.is(new Set(needles.map(([, name]) => name)).size, 8);
  assert.is(needles.find(([, name]) => many.question.includes(` ${name} `))![2], many.answers[0]);

  const values = makePlantedTask(tokenizer, "values", 800, 5, 0);
  const found = [...values.text.matchAll(/One of the special magic numbers for (\S+) is: (\d{7})\./g)];
  assert.is(new Set(found.map(([, name]) => name)).size, 1);
  assert.is(
    values.question,
    `What are all the special magic numbers for ${found[0]![1]} mentioned in the provided text?`,
  );
  assert.equal(found.map(([, , value]) => value).sort(), [...values.answers].sort());
});

test("a chain leads from the value to every variable that is asked for", () => {
  const { text, question, answers } = makePlantedTask(tokenizer, "chains", 800, 9, 1);
  const [, value] = /assigned the value (\d{5}) in the text above/.exec(question)!;
  const held = new Map<string, string>();
  for (const [, name, source] of text.matchAll(/VAR ([A-Z]{5}) = (?:VAR )?([A-Z]{5}|\d{5})\./g)) {
    held.set(name!, held.get(source!) ?? source!);
  }
  assert.is(held.size, 5);
  assert.equal([...held.keys()], [...answers]);
  for (const name of answers) assert.is(held.get(name), value);
});

test("a fact or record that is asked for is stated once", () => {
  for (const kind of ["facts", "records"] as const) {
    for (let index = 0; index < 20; index++) {
      const { text, question, answers } = makePlantedTask(tokenizer, kind, 800, 4, index);
      const subjects = [...question.matchAll(/(?=\b(room \d+|the \w+ \w+))/gi)].map(([, words]) =>
        words!.toLowerCase(),
      );
      const statements = text
        .split(/(?<=[.!?]) /)
        .map((part) => part.toLowerCase())
        .filter((part) => part.includes(answers[0]!.toLowerCase()) && subjects.some((words) => part.includes(words)));
      assert.is(statements.length, 1, `${question} ${answers} ${statements.join(" | ")}`);
    }
  }
});

test("a length that does not hold what is planted is refused", () => {
  assert.throws(
    () => makePlantedTask(tokenizer, "keys", 100, 1, 0),
    (error: unknown) => error instanceof ArgumentError && /100 tokens/.test(error.message),
  );
});

test.run();
