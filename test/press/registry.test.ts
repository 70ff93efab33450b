/** Presses by name: the same as from their functions, and clear errors for what is wrong. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as factories from "../../src/press/factories.ts";
import { definitions } from "../../src/press/registry.ts";
import type { Setting } from "../../src/press/settings.ts";
import { eachHead } from "../../src/press/tools/each-head.ts";
import {
  ArgumentError,
  adaKV,
  block,
  cam,
  chunk,
  composed,
  compressionRatioDecoding,
  decoding,
  knorm,
  merging,
  prefillDecoding,
  press,
  pressNames,
  type ScorePress,
  siskin,
  snapKV,
  streamingLLM,
} from "../../src/runtimes/node.ts";
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

/** What an option cannot be, whatever it is; of lists, items too. */
const nonsense: readonly unknown[] = [null, {}, "nonsense", Number.NaN, [], [{}], Symbol("x"), -1.5, () => "nonsense"];

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.instance(error, ArgumentError);
    return (error as Error).message;
  }
  return "";
};

test("definitions stand in the order of their names, each with a paper", () => {
  assert.equal([...pressNames], [...pressNames].sort());
  assert.is(new Set(pressNames).size, pressNames.length);
  for (const { paper } of definitions) assert.ok(paper.length > 20 && !paper.endsWith("."));
});

for (const { name, settings, ownBudget } of definitions) {
  test(`${name} by its definition: made by its name, every option checked`, () => {
    const wraps = Object.hasOwn(settings, "press");
    const needs: Record<string, unknown> = { ...required[name], ...(wraps && { press: "knorm" }) };
    const made = press(name as string, needs);
    assert.ok(
      made.name === name || made.name.includes(name === "prefilldecoding" ? ", then decoding of" : `${name} of`),
      `${made.name} for ${name}`,
    );
    assert.is(made.ownBudget ?? false, ownBudget);
    assert.match(
      message(() => press(name as string, { ...needs, window_size: 5 })),
      `${name} has no option "window_size"; ${Object.keys(settings).length === 0 ? "it has none" : ""}`,
    );
    for (const [option, { need, standard }] of Object.entries<Setting>(settings)) {
      const { [option]: _, ...others } = needs;
      if (need === "required") {
        assert.is(
          message(() => press(name as string, others)),
          `${name} needs its option ${option}`,
        );
      }
      // A default is a value that is accepted.
      if (standard !== undefined) press(name as string, { ...needs, [option]: standard });
      const slip = `${option.slice(0, -1)}x`;
      assert.match(
        message(() => press(name as string, { ...needs, [slip]: 1 })),
        `did you mean ${option}?`,
      );
      const refused = nonsense.filter((value) => message(() => press(name as string, { ...needs, [option]: value })));
      // Every kind of option is refused for more than half of these, functions and numbers included.
      assert.ok(refused.length >= nonsense.length - 2, `${option} of ${name}: ${refused.length} refused`);
    }
  });
}

test("a wrapper's own function takes a press, and names what is none", () => {
  for (const wrapper of Object.values(factories)) {
    const { name, settings } = wrapper.definition;
    if (!Object.hasOwn(settings, "press")) continue;
    const wrap = wrapper as unknown as (inner: unknown, options: object) => unknown;
    const options = required[name] ?? {};
    for (const inner of [
      "knorm",
      5,
      null,
      {},
      { kind: "score" },
      { kind: "x", name: "x" },
      { kind: "score", name: "x" },
    ]) {
      assert.match(
        message(() => wrap(inner, options)),
        `The press of ${name} should be one`,
      );
    }
    assert.match(
      message(() => wrap(undefined, options)),
      `${name} needs its option press`,
    );
    assert.match(
      message(() => wrap(decoding(knorm()), options)),
      `The decoding of knorm press cannot be the press of ${name}`,
    );
    assert.match(
      message(() => wrap(knorm(), { ...options, press: knorm() })),
      `${name} has no option "press"`,
    );
  }
  const both = { prefillingPress: "knorm", decodingPress: "decoding" };
  assert.match(
    message(() => prefillDecoding(both as never)),
    /prefillingPress of prefilldecoding should be one, .* and is "knorm"/,
  );
  assert.match(
    message(() => composed([{ press: "knorm" as never, ratio: 0.5 }])),
    /press of presses of composed, item 0, should be one/,
  );
  assert.match(
    message(() => composed([{ press: knorm(), ratios: 0.5 } as never])),
    /did you mean ratio\?/,
  );
});

test("wrappers need what they wrap", () => {
  const asks: ScorePress = {
    kind: "score",
    name: "asks",
    needs: { questions: { pooling: "mean", granularity: "head" } },
    score: (layer) => eachHead(layer, (head) => layer.questionScores(head)),
  };
  assert.equal(adaKV(snapKV({ windowSize: 9 })).needs, { queryRows: 9 });
  assert.equal(merging(asks).needs, asks.needs);
  assert.equal(chunk(snapKV()).needs, { queryRows: Number.POSITIVE_INFINITY });
  assert.is(chunk(knorm()).needs, undefined);
  assert.is(adaKV(streamingLLM({ nSink: 7 })).least, 8);
  const steps = [
    { press: asks, ratio: 0.5 },
    { press: snapKV(), ratio: 0.5 },
  ];
  assert.equal(composed(steps).needs, { queryRows: 64, questions: { pooling: "mean", granularity: "head" } });
  assert.match(
    message(() => composed([...steps, { press: { ...asks, needs: siskin().needs! }, ratio: 0.5 }])),
    /in different ways cannot be used together/,
  );
  for (const wrap of [block, cam, decoding, compressionRatioDecoding]) {
    assert.match(
      message(() => wrap(snapKV())),
      /it looks at queries/,
    );
  }
});

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
  const by = (name: string, parameters?: object) => message(() => press(name, parameters));
  assert.match(by("snapKV"), /no press "snapKV"; there are adakv, block, .*snapkv.*, tova$/);
  assert.match(by("toString"), /no press "toString"/);
  assert.match(by("dms", { press: "knorm" }), /dms needs its option threshold/);
  assert.match(by("adakv", { press: "think" }), /think press cannot be the press of adakv: it gives no scores/);
  assert.match(by("adakv", { press: "nope" }), /no press "nope"/);
  assert.match(by("tova", { windowSize: 3 }), /tova has no option "windowSize"; it has none/);
  assert.match(by("snapkv", { kernelSize: 4 }), /kernelSize of snapkv should be a positive odd number and is 4/);
  assert.match(by("siskin", { reach: { before: 1, behind: 2 } }), /reach of siskin has no option "behind"/);
  assert.match(
    by("entropygatedchunkkv", { press: "knorm", chunkLength: 4 }),
    /lowEntropyChunkLength 4 should be below chunkLength 4/,
  );
  assert.match(by("merging", { press: "knorm", mergeFraction: 0 }), /mergeFraction/);
});

test.run();
