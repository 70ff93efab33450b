/** What callers hear of an answer: its tokens, their probabilities, how it ended; stops, several answers, and the model's own settings. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError } from "../../src/errors.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import type { AnswerEnd, AnswerToken, GenerateOptions } from "../../src/session/generate.ts";
import type { Model } from "../../src/session/model.ts";
import { drawnModel } from "../support/drawn-model.ts";
import { u32 } from "../support/files.ts";
import { f32, tinyGguf, tinyModel } from "../support/tiny-model.ts";

const test = suite("answers");
const prompt = "the man in the";

/** An answer and all that is heard of it, from a session of its own. */
async function answered(model: Model, options: GenerateOptions = {}) {
  const session = model.createSession();
  const tokens: AnswerToken[] = [];
  const ends: AnswerEnd[] = [];
  let text = "";
  const listeners = { onToken: (token: AnswerToken) => tokens.push(token), onEnd: (end: AnswerEnd) => ends.push(end) };
  for await (const piece of session.generate(prompt, { maxTokens: 24, ...listeners, ...options })) text += piece;
  const position = session.absolutePosition;
  session.dispose();
  assert.is(ends.length, 1);
  return { text, tokens, end: ends[0]!, position };
}

test("tokens, probabilities and the end at a length", async () => {
  const model = await loadModel(drawnModel());
  const { text, tokens, end, position } = await answered(model, { ignoreEnd: true, logProbabilities: 3 });
  const length = model.tokenizer.encode(prompt).length + model.tokenizer.documentStart.length;
  assert.equal(end, { reason: "length", promptTokens: length, cachedTokens: 0, answerTokens: 24 });
  assert.is(tokens.length, 24);
  assert.is(position, length + 24);
  const ids = tokens.map(({ token }) => token);
  assert.is(model.tokenizer.decode(ids, { skipSpecial: true }), text);
  // The same text once more, token by token.
  const session = model.createSession();
  let logits = session.prefill([...model.tokenizer.documentStart, ...model.tokenizer.encode(prompt)]);
  for (const { token, logProbability, alternatives } of tokens) {
    for (const end of model.tokenizer.eosTokens) logits[end] = Number.NEGATIVE_INFINITY;
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    assert.ok(Math.abs(logProbability! - (logits[token]! - Math.log(sum))) < 1e-9);
    const best = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!).slice(0, 3);
    assert.equal(
      alternatives!.map((each) => each.token),
      best,
    );
    logits = session.decode(token);
  }
  model.dispose();
});

test("an answer that the model ends, and one that a token stops", async () => {
  const model = await loadModel(drawnModel());
  const whole = await answered(model, { ignoreEnd: true });
  const ids = whole.tokens.map(({ token }) => token);
  const [stopToken] = ids.slice(5);
  const first = ids.indexOf(stopToken!);
  const stopped = await answered(model, { ignoreEnd: true, stopTokens: [stopToken!, 3] });
  assert.equal(
    stopped.tokens.map(({ token }) => token),
    ids.slice(0, first),
  );
  assert.is(stopped.end.reason, "stop");
  assert.is(stopped.end.stop, stopToken);
  assert.is(stopped.end.answerTokens, first + 1);
  assert.is(stopped.position, stopped.end.promptTokens + first);
  // The end token is made to come fifth.
  const bias = { [model.tokenizer.eosTokens[0]!]: 1000 };
  const ended = await answered(model, { logitBias: bias });
  assert.equal(
    { reason: ended.end.reason, tokens: ended.end.answerTokens, text: ended.text },
    { reason: "end", tokens: 1, text: "" },
  );
  model.dispose();
});

test("a stop string across tokens, wherever it is cut", async () => {
  const model = await loadModel(drawnModel(3));
  const whole = await answered(model, { ignoreEnd: true });
  for (let start = 1; start + 3 < whole.text.length; start += 2) {
    const stop = whole.text.slice(start, start + 3);
    const at = whole.text.indexOf(stop);
    const { text, end, tokens, position } = await answered(model, { ignoreEnd: true, stop: ["never", stop] });
    assert.is(text, whole.text.slice(0, at));
    assert.equal([end.reason, end.stop], ["stop", stop]);
    // What is told is what the session holds: the tokens that begin in the text shown.
    assert.is(position, end.promptTokens + tokens.length);
    assert.ok(model.tokenizer.decode(tokens.map(({ token }) => token)).startsWith(text));
  }
  model.dispose();
});

test("several answers to one question are those of seeds one after another", async () => {
  const model = await loadModel(drawnModel());
  const session = model.createSession();
  await session.read("the man in the hat", { budget: 64, chunkLength: 64 });
  const options = { temperature: 1.5, seed: 7, maxTokens: 12 };
  // What the decoder needs for as many positions stays with the model.
  await session.answers("in the?", { ...options, n: 1 });
  const before = model.memory.bytesInUse;
  const answers = await session.answers("in the?", { ...options, n: 3 });
  const single: string[] = [];
  for (const seed of [7, 8, 9]) {
    let answer = "";
    for await (const piece of session.ask("in the?", { ...options, seed })) answer += piece;
    single.push(answer);
  }
  assert.equal(answers, single);
  assert.is(new Set(answers).size, 3);
  assert.is(model.memory.bytesInUse, before);
  for (const n of [0, 1.5, "2"]) {
    let refused: unknown;
    await session.answers("?", { n: n as number }).catch((error: unknown) => {
      refused = error;
    });
    assert.ok(refused instanceof ArgumentError && /^n should be/.test(refused.message));
  }
  model.dispose();
});

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test("what generation_config.json says holds where a caller says nothing", async () => {
  const config = { do_sample: true, temperature: 1.4, top_k: 9, top_p: 0.95, min_p: 0.01, repetition_penalty: 1.1 };
  const own = await loadModel({ ...drawnModel(), "generation_config.json": json(config) });
  const plain = await loadModel(drawnModel());
  assert.equal(own.generationDefaults, {
    temperature: 1.4,
    topK: 9,
    topP: 0.95,
    minP: 0.01,
    typicalP: undefined,
    repetitionPenalty: 1.1,
  });
  const given = { temperature: 1.4, topK: 9, topP: 0.95, minP: 0.01, repetitionPenalty: 1.1 };
  assert.is((await answered(own)).text, (await answered(plain, given)).text);
  assert.is.not((await answered(own)).text, (await answered(plain)).text);
  const greedy = { temperature: 0, repetitionPenalty: 1 };
  assert.is((await answered(own, greedy)).text, (await answered(plain)).text);
  own.dispose();
  plain.dispose();
});

test("without do_sample only the repetition penalty counts; with it temperature is 1 and top-k 50", async () => {
  const load = (config: object) => loadModel({ ...drawnModel(), "generation_config.json": json(config) });
  const greedy = await load({ temperature: 0.6, top_k: 20, repetition_penalty: 1.05 });
  assert.equal(greedy.generationDefaults, { repetitionPenalty: 1.05 });
  const drawn = await load({ do_sample: true, top_p: null });
  assert.is(drawn.generationDefaults.temperature, 1);
  assert.is(drawn.generationDefaults.topK, 50);
  for (const wrong of [{ temperature: -1 }, { top_p: "much" }, { do_sample: "yes" }, { top_k: 2.5 }]) {
    let refused: unknown;
    await load(wrong).catch((error: unknown) => {
      refused = error;
    });
    assert.ok(refused instanceof FormatError && refused.file === "generation_config.json", JSON.stringify(wrong));
  }
  greedy.dispose();
  drawn.dispose();
});

test("what a GGUF says under general.sampling holds too", async () => {
  const keys = { "general.sampling.temp": f32(0.5), "general.sampling.top_k": u32(12) };
  const model = await loadModel(tinyGguf(tinyModel(), { keys }));
  assert.is(model.generationDefaults.temperature, 0.5);
  assert.is(model.generationDefaults.topK, 12);
  model.dispose();
  let refused: unknown;
  await loadModel(tinyGguf(tinyModel(), { keys: { "general.sampling.top_p": f32(7) } })).catch((error: unknown) => {
    refused = error;
  });
  assert.ok(refused instanceof FormatError && /general\.sampling\.top_p/.test(refused.message));
});

test("options of an answer that cannot be", async () => {
  const model = await loadModel(drawnModel());
  const session = model.createSession();
  const wrong: [string, object][] = [
    ["Token", { stopTokens: [99999] }],
    ["logProbabilities", { logProbabilities: -1 }],
    ["onToken", { onToken: 3 }],
    ["onEnd", { onEnd: "x" }],
    ["logitBias", { logitBias: { 99999: 1 } }],
  ];
  for (const [name, options] of wrong) {
    let refused: unknown;
    try {
      await session.generate(prompt, options).next();
    } catch (error) {
      refused = error;
    }
    assert.ok(refused instanceof ArgumentError && refused.message.startsWith(name), name);
  }
  assert.is(session.absolutePosition, 0);
  model.dispose();
});

test.run();
