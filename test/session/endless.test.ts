/** Text without end: 3,000 tokens in constant memory, sinks and the newest kept, and text as likely at the end as at the start. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel, type Model, type Session } from "../../src/runtimes/node.ts";

const test = suite("endless");
let model: Model;

test.before(async () => {
  model = await loadModel("models/nano");
});
test.after(() => model.dispose());

const PROMPT = "The old house stood at the end of the lane, and";
const drawn = { temperature: 0.8, seed: 1, ignoreEnd: true };

/** Mean negative log likelihood of a text by the model with all of it in its window, in nats a token. */
function loss(text: string): number {
  const session = model.createSession();
  const losses = session.negativeLogLikelihoods([model.tokenizer.bosToken!, ...model.tokenizer.encode(text)]);
  session.dispose();
  return losses.reduce((sum, each) => sum + each, 0) / losses.length;
}

function assertSinksAndNewest(session: Session): void {
  const positions = [...session.positions(5, 1)];
  const rest = positions.slice(4);
  assert.equal(positions.slice(0, 4), [0, 1, 2, 3]);
  assert.equal(
    rest,
    rest.map((_, index) => session.absolutePosition - rest.length + index),
  );
}

test("memory and entries stay the same, and text stays text", async () => {
  const session = model.createSession({ contextSize: 400 });
  const options = { ...drawn, maxTokens: 3000, budget: 256, every: 64 };
  let text = "";
  let longest = 0;
  let peak = 0;
  for await (const piece of session.generate(PROMPT, options)) {
    text += piece;
    longest = Math.max(longest, session.cacheLength(0, 0));
    if (session.absolutePosition <= 600) peak = model.memory.peakBytes;
  }
  assert.is(session.absolutePosition, model.tokenizer.encode(PROMPT).length + 1 + 3000);
  assert.is(longest, 256 + 63);
  assert.is(model.memory.peakBytes, peak);
  assertSinksAndNewest(session);
  session.dispose();
  const third = Math.floor(text.length / 3);
  const [first, last] = [loss(text.slice(0, third)), loss(text.slice(-third))];
  console.log(`perplexity of the first third ${Math.exp(first).toFixed(2)}, of the last ${Math.exp(last).toFixed(2)}`);
  // Stretches of 1,000 tokens drawn with so short a memory differ by 0.35 nats among themselves; text that breaks, by nats.
  assert.ok(Math.abs(last - first) < 0.5, `${first} and ${last} nats a token`);
});

test("many short turns never fill the window either", async () => {
  const session = model.createSession({ contextSize: 120 });
  for (let turn = 0; turn < 12; turn++) {
    for await (const _ of session.generate(" And then", { ...drawn, maxTokens: 20, budget: 64, every: 50 }));
    assert.ok(session.cacheLength(0, 0) <= 64 + 50, `${session.cacheLength(0, 0)} entries`);
  }
  assert.ok(session.absolutePosition > 240);
  assertSinksAndNewest(session);
  session.dispose();
});

test("without a budget the text ends with the window", async () => {
  const session = model.createSession({ contextSize: 40 });
  let thrown: Error | undefined;
  try {
    for await (const _ of session.generate(PROMPT, { ...drawn, maxTokens: 100 }));
  } catch (error) {
    thrown = error as Error;
  }
  assert.match(thrown!.message, "exceed the window of 40 positions");
  session.dispose();
});

test("settings that cannot be are named", async () => {
  const session = model.createSession();
  for (const [options, message] of [
    [{ every: 0 }, /every should be a positive whole number and is 0/],
    [{ budget: 1.5 }, /budget should be a positive whole number of entries and is 1.5/],
  ] as const) {
    let thrown: Error | undefined;
    await session
      .generate(PROMPT, options)
      .next()
      .catch((error) => (thrown = error));
    assert.match(thrown!.message, message);
  }
  session.dispose();
});

test.run();
