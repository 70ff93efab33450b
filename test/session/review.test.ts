/** What a session makes of an answer: its likelihood is the model's own, its sources are where the answer stands, and nothing is left behind. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError } from "../../src/errors.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import { answers, documentPath, questions } from "../support/documents.ts";

const test = suite("review");
const model = await loadModel("models/nano");
const session = model.createSession();
const text = readFileSync(`${documentPath}.txt`, "utf8");
await session.read(text, { questions, budget: 512 });
test.after(() => model.dispose());

test("the strongest source of every planted answer is where it was planted", async () => {
  const tokens = model.tokenizer.encode(text);
  const head = model.frame.head.length;
  for (const [index, question] of questions.entries()) {
    const { sources, likelihood } = await session.review(question, answers[index]!);
    const { start, end, weight } = sources[0]!;
    const words = model.tokenizer.decode(tokens.subarray(start - head, end - head));
    assert.ok(words.includes(answers[index]!), `${answers[index]}: ${words}`);
    assert.ok(weight > 0 && weight <= 1 && likelihood > 0, `${answers[index]}: ${weight} ${likelihood}`);
    for (const [place, other] of sources.entries()) {
      assert.ok(other.start >= head && other.end <= session.absolutePosition && other.start < other.end);
      assert.ok(place === 0 || (other.weight <= sources[place - 1]!.weight && other.weight >= weight / 2));
    }
  }
});

test("the likelihood is that of the tokens one after another", async () => {
  const [question, answer] = [questions[0]!, answers[0]!];
  const tokens = model.tokenizer.encode(answer);
  const fork = session.fork();
  let logits = fork.prefill(model.frame.question(question));
  let sum = 0;
  for (const token of tokens) {
    const total = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    sum += Math.log(Math.exp(logits[token]!) / total);
    logits = fork.decode(token);
  }
  fork.dispose();
  const { likelihood } = await session.review(question, answer);
  // f32 logits of a batch and of single rows part in the sixth digit.
  assert.ok(Math.abs(likelihood - Math.exp(sum / tokens.length)) < 1e-4);
  const other = await session.review(question, "Zebra crossing");
  assert.ok(other.likelihood < likelihood / 10);
});

test("nothing is left behind, and an answer without words has neither", async () => {
  const before = { bytes: model.memory.bytesInUse, position: session.absolutePosition, keys: session.keys(3, 1) };
  assert.equal(await session.review(questions[0]!, ""), { likelihood: 0, sources: [] });
  await session.review(questions[0]!, answers[0]!);
  assert.equal(
    { bytes: model.memory.bytesInUse, position: session.absolutePosition, keys: session.keys(3, 1) },
    before,
  );
  await session.review(questions[0]!, 5 as never).then(
    () => assert.unreachable(),
    (error) => assert.ok(error instanceof ArgumentError),
  );
  // Without a document there is nothing to come from.
  const empty = model.createSession();
  assert.equal((await empty.review("Who?", "Ada")).sources, []);
  empty.dispose();
});

test.run();
