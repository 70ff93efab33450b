/** The calls of the random test of sessions; each checks what it did. */
import * as assert from "uvu/assert";
import { BusyError, MemoryError, press, SiskinError } from "../../src/runtimes/node.ts";
import type { Dice } from "../support/random.ts";
import {
  type Actor,
  brokenPress,
  bytesInUse,
  drawnPress,
  type Faults,
  gather,
  heads,
  kvHeads,
  layers,
  letters,
  model,
  probe,
  refused,
  tokens,
  visible,
  vocabularySize,
} from "./random-actor.ts";

/** The calls, by name; each checks what it did. */
export const calls: Record<string, (actor: Actor, dice: Dice, faults: Faults) => Promise<void> | void> = {
  prefill(actor, dice) {
    const count = dice.whole(1, 40);
    if (actor.used + count > actor.contextSize) return;
    actor.session.prefill(tokens(dice, count));
    actor.append(count);
  },

  decode(actor, dice) {
    if (actor.used + 1 > actor.contextSize) return;
    actor.session.decode(dice.whole(0, vocabularySize - 1));
    actor.append(1);
  },

  negativeLogLikelihoods(actor, dice) {
    const count = dice.whole(1, 20);
    if (actor.used + count > actor.contextSize) return;
    const losses = actor.session.negativeLogLikelihoods(tokens(dice, count));
    assert.ok(losses.length === count - 1 && losses.every((loss) => loss >= 0));
    actor.append(count);
  },

  prefillWithPress(actor, dice) {
    const [count, budget, seed] = [dice.whole(1, 40), dice.whole(1, 60), dice.whole(1, 1e6)];
    if (actor.used + count > actor.contextSize) return;
    actor.session.prefill(tokens(dice, count), { press: drawnPress(seed), budget });
    actor.append(count);
    actor.compress(seed, budget);
  },

  prefillWithAnyPress(actor, dice) {
    const count = dice.whole(1, 40);
    if (actor.used + count > actor.contextSize) return;
    const name = dice.pick([
      "knorm",
      "keydiff",
      "snapkv",
      "tova",
      "expectedattention",
      "streamingllm",
      "lagkv",
      "compactor",
      "leveragescore",
      "observedattention",
      "noncausalattention",
      "cur",
      "cap",
      "pyramidkv",
      "kvzip",
      "random",
    ]);
    const { position } = actor.expected;
    const before = visible(actor.session);
    try {
      actor.session.prefill(tokens(dice, count), { press: press(name as "knorm"), ratio: dice.pick([0, 0.3, 0.9]) });
      assert.is(actor.session.absolutePosition, position + count, name);
    } catch (error) {
      assert.instance(error, SiskinError, `${name}: ${error}`);
      assert.equal(visible(actor.session), before, name);
    }
    actor.adopt();
  },

  compress(actor, dice) {
    const [budget, seed] = [dice.whole(1, 60), dice.whole(1, 1e6)];
    const empty = actor.expected.kept.map((list) => list.length === 0);
    const odd = heads.some(([layer]) => {
      const inLayer = empty.filter((_, index) => heads[index]![0] === layer);
      return inLayer.some(Boolean) && !inLayer.every(Boolean);
    });
    if (odd) return;
    actor.session.compress(drawnPress(seed), { budget });
    actor.compress(seed, budget);
  },

  keep(actor, dice) {
    const kept = actor.expected.kept.map((list) => {
      const share = dice.pick([0, 0.5, 0.9, 1]);
      return list.map((_, place) => place).filter(() => dice.next() < share);
    });
    actor.session.keep(
      Array.from({ length: layers }, (_, layer) => kept.slice(layer * kvHeads, (layer + 1) * kvHeads)),
    );
    actor.expected.kept = kept.map((places, index) => places.map((place) => actor.expected.kept[index]![place]!));
  },

  async read(actor, dice) {
    const [budget, chunkLength, seed] = [dice.whole(1, 60), dice.whole(1, 40), dice.whole(1, 1e6)];
    const document = tokens(dice, dice.whole(0, 150));
    const head = actor.expected.position === 0 ? model.frame.head.length : 0;
    let total = head + document.length;
    // Room for what a document before held back, too, which comes first.
    const question = model.frame.question("in?").length + 8;
    const contiguous = actor.session.scheme === "contiguous";
    if (
      Math.max(contiguous ? budget : 0, actor.used) + (contiguous ? chunkLength : total) + question >
      actor.contextSize
    )
      return;
    const method = drawnPress(seed);
    const onProgress = ({ tokensTotal = total }) => {
      total = tokensTotal;
    };
    await actor.session.read(document, { press: method, budget, chunkLength, questions: "in?", onProgress });
    for (let left = total; left > 0; ) {
      const count = Math.min(left, chunkLength);
      const fits = actor.longest + count <= budget;
      actor.append(count);
      if (!fits) actor.compress(seed, budget);
      left -= count;
    }
  },

  async readText(actor, dice) {
    const budget = dice.whole(5, 60);
    const even = new Set(actor.expected.kept.map((list) => list.length)).size === 1;
    if (!even || actor.session.scheme === "original" || Math.max(budget, actor.longest) + 60 > actor.contextSize)
      return;
    const text = letters(dice, dice.whole(1, 80));
    async function* pieces() {
      for (let at = 0; at < text.length; at += 7) yield text.slice(at, at + 7);
    }
    const forms = [text, pieces(), Array.from(text)];
    await actor.session.read(dice.pick(forms), {
      budget,
      chunkLength: dice.whole(8, 30),
      questions: ["in?", "the x?"],
    });
    actor.adopt();
    assert.ok(actor.longest <= Math.max(budget, 0) || actor.longest >= 0);
  },

  async readAborted(actor, dice) {
    const { session } = actor;
    if (session.scheme === "original" || Math.max(40, actor.longest) + 60 > actor.contextSize) return;
    const controller = new AbortController();
    const how = dice.pick(["abort", "throw", "busy"]);
    const at = dice.whole(1, 4);
    const start = actor.expected.position;
    let heard = 0;
    let read = 0;
    let thrown: unknown;
    const onProgress = ({ tokensRead }: { tokensRead: number }) => {
      read = tokensRead;
      if (++heard !== at) return;
      if (how === "abort") controller.abort();
      if (how === "throw") throw new RangeError("thrown by the callback");
      if (how === "busy") session.decode(1);
    };
    const reading = session.read(tokens(dice, 150), {
      press: drawnPress(1),
      budget: 40,
      chunkLength: 20,
      signal: controller.signal,
      onProgress,
    });
    await reading.catch((error) => {
      thrown = error;
    });
    assert.ok(
      how === "busy"
        ? thrown instanceof BusyError
        : thrown instanceof RangeError || (thrown as Error).name === "AbortError",
      String(thrown),
    );
    assert.is(session.absolutePosition, start + read);
    actor.adopt();
  },

  async generate(actor, dice) {
    const [first, more] = [dice.whole(1, 8), dice.whole(1, 8)];
    const text = letters(dice, dice.whole(1, 8));
    if (actor.used + 60 > actor.contextSize) return;
    const stop = dice.chance(0.3) ? ["e", "th"] : [];
    const options = { ignoreEnd: true, stop };
    const whole = actor.session.fork();
    const begin = actor.expected.position === 0 ? 1 : 0;
    const measured = actor.session.fork();
    await gather(measured.generate(text, { ignoreEnd: true, maxTokens: 1 }));
    const prompt = measured.absolutePosition - actor.expected.position - 1;
    measured.dispose();
    // A document read as text may have held back some tokens, which come first.
    const least = begin + model.tokenizer.encode(text).length;
    assert.ok(prompt >= least && prompt <= least + 8, `${prompt} tokens of a prompt of ${least}`);
    const shown = await gather(
      actor.session.generate(text, { ...options, maxTokens: first }),
      dice.pick([1, 3, Infinity]),
    );
    const drawn = actor.session.absolutePosition - actor.expected.position - prompt;
    assert.ok(drawn >= 0 && drawn <= first, `${drawn} of ${first}`);
    if (stop.length === 0 && drawn > 0) {
      // What the session holds goes on as if it had not been interrupted.
      const rest = await gather(actor.session.generate("", { ignoreEnd: true, maxTokens: more }));
      const once = await gather(whole.generate(text, { ignoreEnd: true, maxTokens: drawn + more }));
      if (!`${shown}${rest}${once}`.includes("\ufffd")) assert.is(shown + rest, once);
      assert.is(whole.absolutePosition, actor.session.absolutePosition);
      assert.equal(probe(whole), probe(actor.session));
    }
    whole.dispose();
    actor.adopt();
  },

  async generateEndless(actor, dice) {
    const [budget, every] = [dice.whole(5, 30), dice.whole(1, 20)];
    if (actor.session.scheme === "original" || budget + every > actor.contextSize) return;
    if (actor.expected.kept.some((list) => list.length < 5 && list.length > 0)) return;
    const even = new Set(actor.expected.kept.map((list) => list.length)).size === 1;
    if (!even) return;
    let most = 0;
    for await (const _ of actor.session.generate(letters(dice, 30), {
      budget,
      every,
      maxTokens: 40,
      ignoreEnd: true,
    })) {
      most = Math.max(most, actor.session.cacheLength(0, 0));
    }
    assert.ok(most <= budget + every, `${most} of ${budget} + ${every}`);
    actor.adopt();
  },

  async ask(actor) {
    if (actor.used + 40 > actor.contextSize) return;
    const before = visible(actor.session);
    await gather(actor.session.ask("the x?", { maxTokens: 5 }), 2);
    assert.equal(visible(actor.session), before);
  },

  save(actor) {
    const opened = model.openSession(actor.session.save(), { contextSize: actor.contextSize });
    const [saved, again] = [visible(actor.session), visible(opened)];
    assert.equal({ ...again, byteLength: 0 }, { ...saved, byteLength: 0 });
    assert.equal(probe(opened), probe(actor.session));
    opened.dispose();
  },

  async wrongArguments(actor, dice, faults) {
    const { session } = actor;
    const bad = tokens(dice, 20);
    bad[dice.whole(0, 19)] = dice.pick([-1, vocabularySize, 0.5, Number.NaN, 2 ** 32 + 7]);
    const wrong = dice.pick<readonly [string, () => unknown]>([
      ["bad token", () => session.prefill(bad)],
      ["bad token late", () => session.prefill([...tokens(dice, 200), -1])],
      ["no tokens", () => session.prefill([])],
      ["text for tokens", () => session.prefill("abc" as never)],
      ["contextSize", () => session.prefill(new Int32Array(actor.contextSize + 1))],
      ["budget", () => session.prefill([1], { press: press("knorm"), budget: dice.pick([0, -1, 1.5]) })],
      ["both", () => session.prefill([1], { press: press("knorm"), budget: 1, ratio: 0.5 } as never)],
      [
        "protect",
        () => session.prefill([1, 2, 3], { press: press("knorm"), budget: 1, protect: { first: 9, last: 300 } }),
      ],
      ["keep", () => session.keep([])],
      ["option", () => session.read("a", { ratio: 0.5 } as never)],
      ["questions", () => session.read("a", { questions: [5] as never })],
      ["document", () => session.read(5 as never)],
      ["chunk", () => session.read("a", { chunkLength: 2 ** 40 })],
      ["piece", () => session.read(["the", 5 as never])],
      ["tokens late", () => session.read([1, 2, 400])],
      ["maxTokens", () => gather(session.generate("a", { maxTokens: 2.5 }))],
      ["stop", () => gather(session.generate("a", { stop: 5 as never }))],
      ["endless", () => gather(session.generate("a", { budget: 2, every: 1 }))],
      ["endless contextSize", () => gather(session.generate("a", { budget: actor.contextSize, every: 1 }))],
      ["capsule", () => model.openSession(new Uint8Array(dice.whole(0, 100)))],
    ]);
    await refused(actor, wrong[0], wrong[1], faults);
  },

  async aborted(actor, dice, faults) {
    const { session } = actor;
    const signal = AbortSignal.abort();
    const run = dice.pick([
      () => session.read("the", { signal }),
      () => gather(session.generate("the", { signal })),
      () => gather(session.ask("the", { signal })),
    ]);
    await refused(actor, "aborted", run, faults, [Error as never]);
  },

  async brokenPresses(actor, dice, faults) {
    if (actor.used + 60 > actor.contextSize) return;
    if (actor.expected.kept.some((list) => list.length === 0)) return;
    const { session } = actor;
    const broken = brokenPress(dice, session);
    const run = dice.pick([
      () => session.compress(broken, { budget: 2 }),
      () => session.prefill(tokens(dice, 30), { press: broken, budget: 2 }),
      () => session.read(tokens(dice, 10), { press: broken, budget: 1, chunkLength: 30, questions: "in?" }),
    ]);
    await refused(actor, "broken press", run, faults);
  },

  async memoryFull(actor, dice, faults) {
    if (actor.used + 60 > actor.contextSize) return;
    const { session } = actor;
    const seed = dice.whole(1, 1e6);
    const run = dice.pick([
      () => session.decode(7),
      () => session.prefill(tokens(dice, 30)),
      () => session.prefill(tokens(dice, 30), { press: drawnPress(seed), budget: 20 }),
      () => session.negativeLogLikelihoods(tokens(dice, 20)),
      () => session.save(),
      () => session.prefill(tokens(dice, 25), { press: press("snapkv", { windowSize: 8 }), budget: 20 }),
      () => session.prefill(tokens(dice, 25), { press: press("merging", { press: "knorm" }), budget: 20 }),
    ]);
    // Pages shared with a fork are those that take memory to be written to.
    const fork = dice.chance(0.5) ? session.fork() : undefined;
    const twin = session.fork();
    const bytes = bytesInUse();
    const [before, next] = [visible(session), probe(session)];
    faults.arm(dice.whole(0, 12));
    let thrown: unknown;
    try {
      run();
    } catch (error) {
      thrown = error;
    }
    if (faults.disarm()) {
      assert.instance(thrown, MemoryError, String(thrown));
      assert.equal(visible(session), before);
      assert.equal(probe(session), next);
      assert.is(bytesInUse(), bytes);
    } else if (thrown) {
      assert.instance(thrown, SiskinError);
      assert.equal(visible(session), before);
    }
    fork?.dispose();
    twin.dispose();
    actor.adopt();
  },

  async memoryFullReading(actor, dice, faults) {
    const { session } = actor;
    if (session.scheme === "original" || Math.max(40, actor.longest) + 60 > actor.contextSize) return;
    const start = actor.expected.position;
    let read = 0;
    const onProgress = ({ tokensRead }: { tokensRead: number }) => {
      read = tokensRead;
    };
    faults.arm(dice.whole(0, 40));
    let thrown: unknown;
    await session
      .read(tokens(dice, 120), { press: drawnPress(1), budget: 40, chunkLength: 20, onProgress })
      .catch((error) => {
        thrown = error;
      });
    const failed = faults.disarm();
    assert.is(thrown instanceof MemoryError, failed, String(thrown));
    assert.is(session.absolutePosition, start + read);
    actor.adopt();
  },

  async memoryFullGenerating(actor, dice, faults) {
    const { session } = actor;
    if (session.scheme === "original" || actor.used + 60 > actor.contextSize) return;
    const twin = session.fork();
    faults.arm(dice.whole(0, 20));
    let thrown: unknown;
    await gather(session.generate("the x", { maxTokens: 8, ignoreEnd: true })).catch((error) => {
      thrown = error;
    });
    const failed = faults.disarm();
    assert.ok(!failed || thrown instanceof MemoryError, String(thrown));
    // Whatever was read is the beginning of what would have been.
    await gather(twin.generate("the x", { maxTokens: 8, ignoreEnd: true }));
    const read = session.absolutePosition;
    assert.ok(read <= twin.absolutePosition && (failed || read === twin.absolutePosition));
    for (const [layer, head] of heads) {
      const keys = session.keys(layer, head);
      if (session.absolutePosition > actor.expected.position) {
        assert.equal(keys, twin.keys(layer, head).subarray(0, keys.length));
      }
    }
    twin.dispose();
    actor.adopt();
  },
};
