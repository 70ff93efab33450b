/** Presses by name: the same as from their functions, and clear errors for what is wrong. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, adaKV, press, pressNames, snapKV } from "../../src/runtimes/node.ts";
import { context, keptBy, model } from "./recorded.ts";

const test = suite("press registry");

/** Parameters that a method cannot do without, and numbers for them. */
const required: Record<string, object> = {
  dms: { threshold: -16 },
  duoattention: { headScores: [[1, 2]] },
  finchpress: { windowSize: 8 },
  lukv: { budgetCurves: new Float32Array(99) },
  perlayer: { compressionRatios: [0.5] },
  qfilter: { qFilters: new Float32Array(128) },
  composed: { presses: [{ press: snapKV(), ratio: 0.5 }] },
  prefilldecoding: { prefillingPress: snapKV(), decodingPress: press("decoding", { press: "knorm" }) },
};

for (const name of pressNames) {
  test(`${name} is made by its name`, () => {
    let needs: object = required[name] ?? {};
    try {
      press(name as string, needs);
    } catch (error) {
      assert.instance(error, ArgumentError);
      assert.is((error as Error).message, `The ${name} press needs its parameter press`);
      needs = { ...needs, press: "knorm" };
    }
    const made = press(name as string, needs);
    assert.ok(
      made.name === name || made.name.includes(name === "prefilldecoding" ? ", then decoding of" : `${name} of`),
      `${made.name} for ${name}`,
    );
    assert.throws(
      () => press(name as string, { ...needs, window_size: 5 }),
      (error: Error) => error instanceof ArgumentError && error.message.includes('"window_size"'),
    );
  });
}

test("a press by name keeps what its function keeps, with its parameters", () => {
  const kept = [
    adaKV(snapKV({ windowSize: 16 }), { alphaSafeguard: 0.5 }),
    press("adakv", { press: press("snapkv", { windowSize: 16 }), alphaSafeguard: 0.5 }),
    press("adakv", { press: "snapkv" }),
  ].map((method) => {
    const session = model.createSession({ scheme: "original" });
    session.prefill(context.context_ids, { press: method, ratio: 0.8 });
    const lists = keptBy(session);
    session.dispose();
    return lists;
  });
  assert.equal(kept[1], kept[0]);
  assert.not.equal(kept[2], kept[0]);
});

test("names, parameters and inner presses that cannot be", () => {
  const message = (name: string, parameters?: object): string => {
    try {
      press(name, parameters);
    } catch (error) {
      assert.instance(error, ArgumentError);
      return (error as Error).message;
    }
    throw new Error(`${name} was made`);
  };
  assert.match(message("snapKV"), /no press "snapKV"; there are adakv, block, .*snapkv.*, tova$/);
  assert.match(message("toString"), /no press "toString"/);
  assert.match(message("dms", { press: "knorm" }), /needs its parameter threshold/);
  assert.match(message("adakv", { press: "think" }), /think press gives no scores/);
  assert.match(message("tova", { windowSize: 3 }), /tova press has no parameter "windowSize"; it takes no parameters/);
});

test.run();
