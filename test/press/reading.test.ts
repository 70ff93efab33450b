/** Six readings against those recorded of a plain reference: what is kept, its keys and values, and the answers. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { finch, loadModel, type ModelPress, type Scheme, type Session, siskin } from "../../src/runtimes/node.ts";
import { assertNear } from "../support/assertions.ts";

const test = suite("reading");
const model = await loadModel("models/nano");
test.after(() => model.dispose());
const { layers, kvHeads, headSize } = model.config;

/** Of the recorded keys and values every eighth entry is in the repository. */
const STEP = 8;

interface Run {
  readonly settings: {
    readonly scheme: Scheme;
    readonly schedule: "linear" | "constant";
    readonly granularity: "sharpest" | "layer" | "head";
    readonly lead: number;
    readonly trail: number;
    readonly chunk: number;
    readonly budget: number;
  };
  readonly questions: readonly {
    readonly question: string;
    readonly planted_answer: string;
    readonly answer: string;
    readonly answer_ids: readonly number[];
    readonly gap: readonly number[];
  }[];
}

const heads = Array.from(
  { length: layers * kvHeads },
  (_, index) => [Math.floor(index / kvHeads), index % kvHeads] as const,
);

function pressOf({ granularity, lead, trail, schedule }: Run["settings"]): ModelPress {
  const reach = { before: lead, after: trail };
  return granularity === "sharpest" ? siskin({ reach }) : finch({ granularity, schedule, reach });
}

/** Positions of all heads, [layers · heads][entries]. */
const positionsOf = (session: Session) => heads.map(([layer, head]) => session.positions(layer, head));

/** Entries that are in one list and not in the other. */
function missing(actual: Int32Array, expected: Int32Array): number {
  assert.is(actual.length, expected.length);
  const set = new Set(actual);
  return expected.filter((position) => !set.has(position)).length;
}

for (const name of ["siskin", "siskin_three_questions", "siskin_original", "reach_head", "finch_layer", "finch_head"]) {
  test(name, async () => {
    const path = `test/fixtures/reading/${name}`;
    const { settings, questions } = JSON.parse(readFileSync(`${path}.json`, "utf8")) as Run;
    const tensors = readSafetensors(readFileSync(`${path}.safetensors`));
    const tokens = tensors.i32("tokens");
    const { head } = model.frame;
    assert.equal(tokens.subarray(0, head.length), head);
    const session = model.createSession({ scheme: settings.scheme });
    const snapshots: { read: number; positions: Int32Array[] }[] = [];
    await session.read(tokens.subarray(head.length), {
      questions: questions.map(({ question }) => question),
      press: pressOf(settings),
      budget: settings.budget,
      chunkLength: settings.chunk,
      onProgress: ({ tokensRead }) => snapshots.push({ read: tokensRead, positions: positionsOf(session) }),
    });

    // The recorded indices point into cache and chunk together: followed back to places in the text.
    let held = heads.map(() => new Int32Array(0));
    let read = 0;
    let compressions = 0;
    for (const snapshot of snapshots) {
      const chunk = Int32Array.from({ length: snapshot.read - read }, (_, index) => read + index);
      read = snapshot.read;
      const whole = held.map((list) => Int32Array.of(...list, ...chunk));
      if (whole[0]!.length <= settings.budget && settings.schedule === "constant") {
        held = whole;
      } else {
        const kept = tensors.i32(`kept_${compressions++}`);
        const width = kept.length / heads.length;
        held = whole.map((list, index) => kept.slice(index * width, (index + 1) * width).map((entry) => list[entry]!));
      }
      const wrong = held.reduce((sum, list, index) => sum + missing(snapshot.positions[index]!, list), 0);
      assert.ok(wrong <= 0.005 * held[0]!.length * heads.length, `${wrong} entries after ${read} tokens`);
      if (compressions === 3) break;
    }
    assert.is(compressions, 3);

    const origin = tensors.i32("origin");
    const width = origin.length / heads.length;
    const expected = heads.map((_, index) => origin.subarray(index * width, (index + 1) * width));
    const actual = positionsOf(session);
    const wrong = expected.reduce((sum, list, index) => sum + missing(actual[index]!, list), 0);
    assert.ok(wrong <= 0.005 * origin.length, `${wrong} entries of the final cache`);

    for (const [part, layer] of [
      ["keys_layer0", 0],
      ["keys_last", layers - 1],
      ["values_last", layers - 1],
    ] as const) {
      const recorded = tensors.f32(part);
      const rows = recorded.length / kvHeads / headSize;
      for (let at = 0; at < kvHeads; at++) {
        const content = part === "values_last" ? session.values(layer, at) : session.keys(layer, at);
        for (let row = 0; row < rows; row++) {
          const entry = row * STEP;
          const position = expected[layer * kvHeads + at]![entry];
          if (actual[layer * kvHeads + at]![entry] !== position) continue;
          const start = (at * rows + row) * headSize;
          assertNear(
            content.subarray(entry * headSize, (entry + 1) * headSize),
            recorded.subarray(start, start + headSize),
            () => 1e-3,
            `${part}, head ${at}, entry ${entry}`,
          );
        }
      }
    }

    for (const [index, { question, answer, planted_answer, answer_ids, gap }] of questions.entries()) {
      assert.equal(model.frame.question(question), tensors.i32(`question_${index}`));
      const fork = session.fork();
      assertNear(fork.prefill(tensors.i32(`question_${index}`)), tensors.f32(`logits_${index}`), () => 5e-3, question);
      fork.dispose();
      let given = "";
      for await (const piece of session.ask(question)) given += piece;
      assert.ok(Math.min(...gap) > 5e-3 && answer_ids.length > 0);
      assert.is(given.trim(), answer);
      assert.ok(given.includes(planted_answer));
    }
    session.dispose();
  });
}

test.run();
