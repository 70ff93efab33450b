/** A reading gives way amid its chunks: what others do meanwhile, and what it reads itself, is what it would be alone. */
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DisposedError } from "../../src/errors.ts";
import { loadModel, type Model, type Session } from "../../src/runtimes/node.ts";
import { integers } from "../support/random.ts";

const test = suite("interleaved");
const model: Model = await loadModel("models/nano");
const draw = integers(5);
const document = Int32Array.from({ length: 700 }, () => 20 + draw(2000));
const options = { questions: "Where did Mara hide it?", budget: 128, chunkLength: 256 };

/** Everything that a session holds. */
function held(session: Session) {
  const { layers, kvHeads } = session.config;
  const heads = Array.from(
    { length: layers * kvHeads },
    (_, index) => [Math.floor(index / kvHeads), index % kvHeads] as const,
  );
  return heads.map(([layer, head]) => [
    session.positions(layer, head),
    session.keys(layer, head),
    session.values(layer, head),
  ]);
}

for (const cache of ["f32", "q8"] as const) {
  test(`decoding, forking, saving and reading elsewhere while a document is read, ${cache}`, async () => {
    const alone = model.createSession({ cache });
    await alone.read(document, options);
    const other = model.createSession({ cache });
    other.prefill(document.subarray(0, 50));
    const expected = Array.from({ length: 20 }, (_, index) => other.decode(100 + index));
    const again = model.createSession({ cache });
    again.prefill(document.subarray(0, 50));

    const session = model.createSession({ cache });
    const beside = model.createSession({ cache });
    let reading = true;
    const work = session.read(document, options).finally(() => {
      reading = false;
    });
    const second = beside.read(document, options);
    let turns = 0;
    while (reading) {
      await delay(1);
      if (turns < 20) assert.equal(again.decode(100 + turns), expected[turns]);
      const fork = session.fork();
      if (turns % 3 === 0) fork.prefill(document.subarray(0, 40));
      if (turns % 5 === 0) fork.save();
      fork.dispose();
      turns++;
    }
    await work;
    await second;
    assert.ok(turns > 5, `${turns} turns`);
    assert.equal(held(session), held(alone));
    assert.equal(held(beside), held(alone));
    assert.equal(session.decode(3), alone.decode(3));
    for (const one of [alone, other, again, session, beside]) one.dispose();
  });
}

test("an abort amid a chunk leaves what was read before it, and no byte more", async () => {
  // What every pass of this size needs stays with the model.
  const first = model.createSession();
  await first.read(document, { ...options, chunkLength: 700 });
  first.dispose();
  const session = model.createSession();
  session.prefill(document.subarray(0, 100));
  const before = held(session);
  const bytes = model.memory.bytesInUse;
  const controller = new AbortController();
  const reading = session.read(document, { ...options, chunkLength: 700, signal: controller.signal });
  await delay(30);
  const aborted = performance.now();
  controller.abort(new Error("enough"));
  const error = await reading.catch((reason) => reason);
  assert.is(error.message, "enough");
  assert.ok(performance.now() - aborted < 1000);
  assert.is(session.absolutePosition, 100);
  assert.equal(held(session), before);
  assert.ok(model.memory.bytesInUse <= bytes, `${model.memory.bytesInUse - bytes} bytes more`);
  const control = model.createSession();
  control.prefill(document.subarray(0, 100));
  await session.read(document, options);
  await control.read(document, options);
  assert.equal(held(session), held(control));
  session.dispose();
  control.dispose();
});

test("dispose amid a chunk, of the session and of the model", async () => {
  const session = model.createSession();
  const reading = session.read(document, { ...options, chunkLength: 700 });
  await delay(20);
  session.dispose();
  assert.instance(await reading.catch((reason) => reason), DisposedError);
  const other = model.createSession();
  const more = other.read(document, { ...options, chunkLength: 700 });
  await delay(20);
  model.dispose();
  assert.instance(await more.catch((reason) => reason), DisposedError);
});

test.run();
