/**
 * Thousands of calls in random order on sessions of one model, with faults at every step that can fail: whatever happens,
 * a session holds what it should, a call that fails changes nothing, and all memory comes back.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ScorePress } from "../../src/press/press.ts";
import { Dice } from "../support/random.ts";
import { Actor, bytesInUse, Faults, gather, kvHeads, layers, model, tokens } from "./random-actor.ts";
import { calls } from "./random-calls.ts";

const test = suite("sessions at random");
test.after(() => model.dispose());

/** Calls on a few sessions, each disposed now and again, half of them by someone else while they work. */
async function play(seed: number, count: number): Promise<void> {
  const dice = new Dice(seed);
  const actors: Actor[] = [];
  const make = () => {
    const contextSize = dice.pick([100, 256, 256]);
    const scheme = dice.pick(["contiguous", "contiguous", "original"] as const);
    return new Actor(
      model.createSession({ scheme, cache: dice.pick(["f32", "f32", "q8"] as const), contextSize }),
      contextSize,
    );
  };
  for (let step = 0; step < count; step++) {
    if (actors.length < 3) actors.push(make());
    const actor = dice.pick(actors);
    const choice = dice.next();
    if (choice < 0.03) {
      actor.session.dispose();
      actors.splice(actors.indexOf(actor), 1);
    } else if (choice < 0.07 && actors.length < 6) {
      const { position, kept } = actor.expected;
      actors.push(
        new Actor(actor.session.fork(), actor.contextSize, { position, kept: kept.map((list) => [...list]) }),
      );
    } else {
      const name = dice.pick(Object.keys(calls));
      const where = `seed ${seed}, step ${step}: ${name}`;
      try {
        await calls[name]!(actor, dice, faults);
      } catch (error) {
        (error as Error).message = `${where}: ${(error as Error).message}`;
        throw error;
      }
      actor.check(where);
    }
    for (const other of actors) if (other !== actor) other.check(`seed ${seed}, step ${step}, another session`);
  }
  for (const { session } of actors) session.dispose();
}

const faults = new Faults(model);

/** Everything that grows with use and stays, at its largest. */
async function warmUp(): Promise<void> {
  for (const cache of ["f32", "q8"] as const) {
    for (const scheme of ["contiguous", "original"] as const) {
      const session = model.createSession({ cache, scheme, contextSize: 600 });
      session.prefill(new Int32Array(500));
      await gather(session.generate("the", { maxTokens: 3, ignoreEnd: true }));
      session.dispose();
      const reader = model.createSession({ cache, scheme, contextSize: 600 });
      await reader.read(new Int32Array(300), {
        budget: 60,
        chunkLength: 100,
        questions: ["in?", "the x?", "the x? the x?"],
      });
      reader.dispose();
    }
  }
}

await warmUp();
for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`600 calls, seed ${seed}`, async () => {
    const before = bytesInUse();
    await play(seed, 600);
    assert.is(bytesInUse(), before);
  });
}

test("a session disposed by anyone at any time gives its memory back and ends what it was doing", async () => {
  const before = bytesInUse();
  for (let seed = 0; seed < 60; seed++) {
    const dice = new Dice(1000 + seed);
    const session = model.createSession({ cache: dice.pick(["f32", "q8"] as const) });
    session.prefill(tokens(dice, dice.whole(1, 30)));
    const disposing: ScorePress = {
      kind: "score",
      name: "disposing",
      score: (entries) => {
        if (entries.layer === layers - 1) session.dispose();
        return Array.from({ length: kvHeads }, (_, head) => new Float32Array(entries.length(head)));
      },
    };
    let heard = 0;
    const run = dice.pick([
      () => session.prefill(tokens(dice, 20), { press: disposing, budget: 5 }),
      () => session.compress(disposing, { budget: 1 }),
      () => session.read(tokens(dice, 90), { press: disposing, budget: 20, chunkLength: 20 }),
      () =>
        session.read(tokens(dice, 90), {
          budget: 20,
          chunkLength: 20,
          questions: "in?",
          onProgress: () => ++heard === 2 && session.dispose(),
        }),
      () => {
        setTimeout(() => session.dispose(), 1);
        const stalled = (async function* () {
          yield "the ";
          await new Promise(() => {});
        })();
        return session.read(stalled, { budget: 20, chunkLength: 20 });
      },
      async () => {
        for await (const _ of session.generate("the", { ignoreEnd: true })) session.dispose();
      },
    ]);
    let thrown: unknown;
    try {
      await run();
    } catch (error) {
      thrown = error;
    }
    assert.is((thrown as Error | undefined)?.name, "DisposedError", `seed ${seed}`);
    assert.is(bytesInUse(), before, `seed ${seed}`);
  }
});

test.run();
