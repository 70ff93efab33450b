/** What the random test of sessions is made of: a model, sessions beside what they should hold, presses and faults. */
import * as assert from "uvu/assert";
import type { ScorePress, SelectPress } from "../../src/press/press.ts";
import { loadModel, MemoryError, type Model, type Session, SiskinError } from "../../src/runtimes/node.ts";
import { drawnModel } from "../support/drawn-model.ts";
import { Dice } from "../support/random.ts";

export const model = await loadModel(drawnModel());
const { headSize } = model.config;
export const { layers, kvHeads, vocabularySize } = model.config;
export const heads = Array.from(
  { length: layers * kvHeads },
  (_, index) => [Math.floor(index / kvHeads), index % kvHeads] as const,
);

/** What a session should hold: for each head the places in the text of its entries. */
interface Expected {
  position: number;
  kept: number[][];
}

/** Everything of a session that a caller can see. */
export function visible(session: Session) {
  return {
    position: session.absolutePosition,
    byteLength: session.byteLength,
    positions: heads.map(([layer, head]) => session.positions(layer, head)),
    keys: heads.map(([layer, head]) => session.keys(layer, head)),
    values: heads.map(([layer, head]) => session.values(layer, head)),
  };
}

/** What the next token would give. */
export function probe(session: Session): Float32Array | string {
  const fork = session.fork();
  try {
    return fork.decode(5);
  } catch (error) {
    return (error as Error).name;
  } finally {
    fork.dispose();
  }
}

/** Bytes in use when nothing is under way: the tape that is kept is that of the last shape of pass. */
export function bytesInUse(): number {
  const session = model.createSession();
  session.prefill([1, 2, 3]);
  session.dispose();
  return model.memory.bytesInUse;
}

/** Makes the allocation after so many others fail. */
export class Faults {
  #left = -1;
  #failed = false;

  constructor(target: Model) {
    const { core } = target;
    const allocate = core.allocate.bind(core);
    core.allocate = (byteLength) => {
      if (this.#left >= 0 && this.#left-- === 0) {
        this.#failed = true;
        throw new MemoryError("full, as the test wants it");
      }
      return allocate(byteLength);
    };
  }

  /** Arms the fault; nothing fails after `disarm`. */
  arm(after: number): void {
    this.#left = after;
    this.#failed = false;
  }

  /** @returns whether an allocation has failed */
  disarm(): boolean {
    this.#left = -1;
    return this.#failed;
  }
}

/** Scores that a test can work out for itself: drawn by layer, head and place in the text. */
function drawnScore(seed: number, layer: number, head: number, position: number): number {
  return Math.fround(new Dice(seed * 7919 + layer * 613 + head * 331 + position * 17).next());
}

export function drawnPress(seed: number): ScorePress {
  return {
    kind: "score",
    name: "drawn",
    score: (entries) =>
      Array.from({ length: kvHeads }, (_, head) =>
        Float32Array.from(entries.positions(head), (position) => drawnScore(seed, entries.layer, head, position)),
      ),
  };
}

/** The places that stay of a head's when the highest drawn scores do. */
function highest(seed: number, index: number, kept: readonly number[], count: number): number[] {
  const [layer, head] = heads[index]!;
  return kept
    .map((position, place) => ({ position, place, score: drawnScore(seed, layer, head, position) }))
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .slice(0, count)
    .map(({ position }) => position)
    .sort((a, b) => a - b);
}

/** A press that fails in one of the ways that a press can, at some layer. */
export function brokenPress(dice: Dice, session: Session): SelectPress | ScorePress {
  const broken = dice.whole(0, layers - 1);
  const lists = (count: number) =>
    Array.from({ length: kvHeads }, (_, head) => Int32Array.from({ length: count }, (_, i) => i + head));
  const wrong = dice.pick<(length: number) => unknown>([
    () => {
      throw new RangeError("thrown by the press");
    },
    () => undefined,
    () => ({ kept: [Int32Array.of(0)] }),
    () => ({ kept: lists(1).map(() => Int32Array.of(1, 0)) }),
    (length) => ({ kept: lists(1).map(() => Int32Array.of(length)) }),
    () => ({ kept: lists(1).map(() => [0.5]) }),
    () => ({ kept: lists(1).map(() => Int32Array.of(0)), values: lists(1).map(() => new Float32Array(3)) }),
    () => ({
      kept: lists(1).map(() => Int32Array.of(0)),
      keys: lists(1).map(() => new Float32Array(headSize).fill(NaN)),
    }),
    () => session.decode(3),
  ]);
  return {
    kind: "select",
    name: "broken",
    select: (entries) => {
      const rows = () => Array.from({ length: kvHeads }, () => new Float32Array(headSize).fill(7));
      const fine = { kept: lists(1).map(() => Int32Array.of(0)), keys: rows(), values: rows() };
      return entries.layer === broken ? (wrong(entries.length(0)) as never) : fine;
    },
  };
}

/** One session, what it should hold, and everything that can be done to it. */
export class Actor {
  readonly session: Session;
  readonly contextSize: number;
  expected: Expected;

  constructor(session: Session, contextSize: number, expected?: Expected) {
    this.session = session;
    this.contextSize = contextSize;
    this.expected = expected ?? { position: 0, kept: heads.map(() => []) };
  }

  /** Checks what can be seen against what should be. */
  check(where: string): void {
    assert.is(this.session.absolutePosition, this.expected.position, where);
    for (const [index, [layer, head]] of heads.entries()) {
      assert.equal([...this.session.positions(layer, head)], this.expected.kept[index], `${where}: ${layer}, ${head}`);
    }
  }

  get longest(): number {
    return Math.max(...this.expected.kept.map((list) => list.length));
  }

  /** Positions that are used of the window. */
  get used(): number {
    return this.session.scheme === "contiguous" ? this.longest : this.expected.position;
  }

  append(count: number): void {
    const { position } = this.expected;
    for (const list of this.expected.kept) for (let i = 0; i < count; i++) list.push(position + i);
    this.expected.position += count;
  }

  compress(seed: number, budget: number): void {
    this.expected.kept = this.expected.kept.map((list, index) => highest(seed, index, list, budget));
  }

  /** What the session holds becomes what it should: for methods whose choice is checked elsewhere. */
  adopt(): void {
    this.expected = {
      position: this.session.absolutePosition,
      kept: heads.map(([layer, head]) => [...this.session.positions(layer, head)]),
    };
  }
}

export const tokens = (dice: Dice, count: number) =>
  Array.from({ length: count }, () => dice.whole(0, vocabularySize - 1));
export const letters = (dice: Dice, count: number) => {
  let text = "";
  for (let i = 0; i < count; i++) text += dice.pick(["the ", "an ", "in", "x", "q. ", "\n", "7", "é"]);
  return text;
};

/** A call that should fail, and leave the session, its pages and all books as they were. */
export async function refused(
  actor: Actor,
  where: string,
  run: () => unknown,
  faults: Faults,
  kinds = [SiskinError, RangeError],
): Promise<void> {
  const { session } = actor;
  const bytes = bytesInUse();
  const [before, next] = [visible(session), probe(session)];
  let thrown: unknown;
  try {
    await run();
  } catch (error) {
    thrown = error;
  }
  faults.disarm();
  assert.ok(
    kinds.some((kind) => thrown instanceof kind),
    `${where}: ${thrown}`,
  );
  assert.equal(visible(session), before, where);
  assert.equal(probe(session), next, where);
  assert.is(bytesInUse(), bytes, where);
}

export async function gather(pieces: AsyncIterable<string>, most = Number.POSITIVE_INFINITY): Promise<string> {
  let text = "";
  let count = 0;
  for await (const piece of pieces) {
    text += piece;
    if (++count >= most) break;
  }
  return text;
}
