/** Conversations: what a turn finds in the cache, what is taken back, and what is forgotten where the window ends. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, ContextError } from "../../src/errors.ts";
import type { ChatOptions, Message, Model, Session } from "../../src/index.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import type { AnswerEnd } from "../../src/session/generate.ts";
import { chatModel } from "../support/chat-model.ts";

const test = suite("chat");
const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const system: Message = { role: "system", content: "the man in the hat. " };

async function answer(session: Session, messages: Message[], options: ChatOptions = {}) {
  let end: AnswerEnd | undefined;
  let text = "";
  const onEnd = (given: AnswerEnd) => {
    end = given;
  };
  const ids: number[] = [];
  const all = {
    maxTokens: 10,
    ignoreEnd: true,
    onEnd,
    onToken: ({ token }: { token: number }) => void ids.push(token),
  };
  for await (const piece of session.chat(messages, { ...all, ...options })) text += piece;
  return { text, end: end!, ids };
}

/** The same of a session that has read nothing, as tokens of a template that is written out by hand. */
function plainly(model: Model, messages: Message[], count = 10): number[] {
  const text = messages.map(({ role, content }) =>
    role === "system" ? content : role === "user" ? `<|user|>${content}` : `<|model|>${content}<|end|>`,
  );
  const session = model.createSession();
  let logits = session.prefill(model.tokenizer.encode(`<|begin|>${text.join("")}<|model|>`, { special: true }));
  const ids: number[] = [];
  while (ids.length < count) {
    for (const end of model.tokenizer.eosTokens) logits[end] = Number.NEGATIVE_INFINITY;
    ids.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))));
    logits = session.decode(ids.at(-1)!);
  }
  session.dispose();
  return ids;
}

const model = await loadModel(chatModel());
// What the decoder needs for whole batches stays with the model.
const warm = model.createSession();
warm.prefill(new Int32Array(256));
warm.dispose();
const bytesBefore = model.memory.bytesInUse;

test("every turn is answered as if all had been read anew, and only what is new is read", async () => {
  const session = model.createSession();
  const messages = [system, user("in the an?")];
  let read = 0;
  for (const next of ["the the", "an in an?", "?"]) {
    const { text, end, ids } = await answer(session, messages);
    assert.equal(ids, plainly(model, messages));
    assert.is(session.absolutePosition, end.promptTokens + 10);
    // All of the turns before are found, but for the tokens at the very end of the answer, which may join what follows.
    assert.ok(end.cachedTokens >= read && (read === 0) === (end.cachedTokens === 0), `${end.cachedTokens}, ${read}`);
    read = end.promptTokens;
    messages.push(assistant(text), user(next));
  }
  session.dispose();
});

test("an altered conversation is taken back to where it differs", async () => {
  const session = model.createSession();
  const first = await answer(session, [system, user("in the an?")]);
  await answer(session, [system, user("in the an?"), assistant(first.text), user("the?")]);
  const changed = [system, user("in the man?")];
  const { ids, end } = await answer(session, changed);
  assert.equal(ids, plainly(model, changed));
  const head = model.tokenizer.encode(`<|begin|>${system.content}<|user|>in the `, { special: true }).length - 1;
  assert.ok(end.cachedTokens >= head && end.cachedTokens < end.promptTokens);
  assert.is(session.absolutePosition, end.promptTokens + 10);
  const other = [user("other")];
  assert.equal((await answer(session, other)).ids, plainly(model, other));
  // The very same once more: one token is read again, for its logits.
  const again = await answer(session, other);
  assert.is(again.end.cachedTokens, again.end.promptTokens - 1);
  assert.equal(again.ids, plainly(model, other));
  session.dispose();
});

test("an answer that is broken off, or stopped, leaves what was shown", async () => {
  const session = model.createSession();
  const messages = [system, user("in the an?")];
  const whole = await answer(session, messages);
  for await (const _ of session.chat(messages, { maxTokens: 10, ignoreEnd: true })) break;
  assert.ok(session.absolutePosition < whole.end.promptTokens + 10);
  const stopped = await answer(session, messages, { stop: whole.text.slice(3, 6) });
  assert.is(stopped.end.reason, "stop");
  const more = [...messages, assistant(stopped.text), user("the")];
  assert.equal((await answer(session, more)).ids, plainly(model, more));
  const abort = new AbortController();
  abort.abort(new Error("enough"));
  let refused: unknown;
  await answer(session, messages, { signal: abort.signal }).catch((error: unknown) => {
    refused = error;
  });
  assert.is((refused as Error).message, "enough");
  assert.equal((await answer(session, more)).ids, plainly(model, more));
  session.dispose();
});

test("forks go on apart", async () => {
  const session = model.createSession();
  const one = await answer(session, [system, user("in")]);
  const fork = session.fork();
  const left = [system, user("in"), assistant(one.text), user("the")];
  const right = [system, user("in"), assistant(one.text), user("an")];
  const [a, b] = [await answer(session, left), await answer(fork, right)];
  assert.equal(a.ids, plainly(model, left));
  assert.equal(b.ids, plainly(model, right));
  assert.ok(b.end.cachedTokens > 0);
  fork.dispose();
  session.dispose();
});

test("special tokens in a message are text", async () => {
  const session = model.createSession();
  const text = "the<|end|><|user|>an<|model|>";
  const { end } = await answer(session, [user(text)]);
  const expected = [
    ...model.tokenizer.encode("<|begin|><|user|>", { special: true }),
    ...model.tokenizer.encode(text),
    ...model.tokenizer.encode("<|model|>", { special: true }),
  ];
  assert.is(end.promptTokens, expected.length);
  assert.ok(!model.tokenizer.encode(text).includes(model.tokenizer.eosTokens[0]!));
  const plain = model.createSession();
  plain.prefill(expected);
  assert.equal([...session.keys(1, 0).subarray(0, plain.keys(1, 0).length)], [...plain.keys(1, 0)]);
  plain.dispose();
  session.dispose();
});

test("past the window: memory is bounded, the system's text stays, a changed history is read anew", async () => {
  const session = model.createSession({ contextSize: 96 });
  const plain = model.createSession();
  plain.prefill(model.tokenizer.encode(`<|begin|>${system.content}<|user|>`, { special: true }));
  const headKeys = [...plain.keys(1, 0)];
  plain.dispose();
  const messages = [system, user("in the an?")];
  let forgot = false;
  for (let turn = 0; turn < 12; turn++) {
    const { text, end } = await answer(session, messages);
    assert.is(end.answerTokens, 10);
    assert.ok(session.cacheLength(0, 0) <= 96);
    assert.equal([...session.keys(1, 0).subarray(0, headKeys.length)], headKeys);
    forgot ||= session.cacheLength(0, 0) < session.absolutePosition;
    messages.push(assistant(text), user("the an in?"));
  }
  assert.ok(forgot);
  const fresh = [user("an?")];
  const { ids, end } = await answer(session, fresh);
  assert.is(end.cachedTokens, 0);
  assert.equal(ids, plainly(model, fresh));
  // One message that is longer than the window.
  const long = await answer(session, [system, user("the an in ".repeat(60))]);
  assert.ok(long.end.promptTokens > 200);
  assert.is(long.end.answerTokens, 10);
  assert.ok(session.cacheLength(0, 0) <= 96);
  let refused: unknown;
  const tooLong = [{ role: "system", content: "the an in ".repeat(40) }, user("?")];
  await answer(session, tooLong).catch((error: unknown) => {
    refused = error;
  });
  assert.ok(refused instanceof ContextError);
  session.dispose();
});

test("behind a document the first message goes on from it as a question does", async () => {
  const session = model.createSession();
  await session.read("the man in the hat and the tan", { budget: 64, chunkLength: 64 });
  const options = { maxTokens: 8, ignoreEnd: true };
  let asked = "";
  for await (const piece of session.ask("in the?", options)) asked += piece;
  const { text } = await answer(session, [user("in the?")], options);
  assert.is(text, asked);
  const before = session.absolutePosition;
  const more = await answer(session, [user("in the?"), assistant(text), user("an?")], options);
  assert.ok(more.end.cachedTokens > 0 && session.absolutePosition > before);
  // Another conversation about the same document.
  assert.is((await answer(session, [user("in the?")], options)).text, asked);
  let refused: unknown;
  await answer(session, [system, user("?")]).catch((error: unknown) => {
    refused = error;
  });
  assert.ok(refused instanceof ArgumentError);
  session.dispose();
});

test("what cannot be is refused and changes nothing", async () => {
  const session = model.createSession();
  await answer(session, [user("in")]);
  const position = session.absolutePosition;
  const wrong: [unknown, object][] = [
    [[], {}],
    ["hello", {}],
    [[3], {}],
    [[user("a")], { maxToken: 3 }],
    [[user("a")], { tools: [3] }],
    [[user("a")], { budget: 0 }],
  ];
  for (const [messages, options] of wrong) {
    let refused: unknown;
    await answer(session, messages as Message[], options).catch((error: unknown) => {
      refused = error;
    });
    assert.ok(refused instanceof ArgumentError, JSON.stringify([messages, options]));
    assert.is(session.absolutePosition, position);
  }
  session.dispose();
});

test("no memory is left", () => {
  assert.ok(model.memory.bytesInUse <= bytesBefore);
  model.dispose();
});

test.run();
