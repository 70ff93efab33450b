/** Arguments as nobody should give them: capsules made on purpose, tensors and sessions. */

import { Hash } from "../../src/core/hash.ts";
import { knorm, loadModel, press, pressNames, type Session, Tensor } from "../../src/runtimes/node.ts";
import { drawnModel } from "../support/drawn-model.ts";
import type { Dice } from "../support/random.ts";
import { mangleBytes, mangleJson, oddJson, oddNumber, oddText, stringify } from "./mangle.ts";

export const model = await loadModel(drawnModel());

const capsules = await Promise.all(
  (["contiguous", "original"] as const).flatMap((scheme) =>
    (["f32", "q8"] as const).map(async (cache) => {
      const session = model.createSession({ scheme, cache });
      await session.read("the in an ".repeat(9), { budget: 20, chunkLength: 30, questions: "in?" });
      session.decode(3);
      const bytes = session.save();
      session.dispose();
      return bytes;
    }),
  ),
);

/** Capsules whose checksum is right and whose content is not. */
export async function forgedCapsules(dice: Dice): Promise<void> {
  const bytes = dice.pick(capsules);
  if (dice.chance(0.3)) return use(mangleBytes(bytes, dice));
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  let changed = header;
  const how = dice.whole(0, 3);
  if (how < 2) {
    const key = dice.pick(["window", "absolutePosition", "scheme", "form", "version", "format"]);
    const value = dice.chance(0.7) ? String(oddNumber(dice, false)) : oddText(dice);
    changed = { ...header, __metadata__: { ...header.__metadata__, [key]: value } };
  } else if (how === 2) changed = mangleJson(header, dice, 1);
  const text = new TextEncoder().encode(stringify(changed));
  const data = bytes.slice(8 + length);
  if (dice.chance(0.3))
    new DataView(data.buffer).setInt32(
      dice.whole(0, (data.length - 16) >> 2) * 4,
      Math.trunc(oddNumber(dice)) | 0,
      true,
    );
  const padded = Math.ceil(text.length / 8) * 8;
  const forged = new Uint8Array(8 + padded + data.length).fill(0x20, 8, 8 + padded);
  new DataView(forged.buffer).setUint32(0, padded, true);
  forged.set(text, 8);
  forged.set(data, 8 + padded);
  forged.set(new Hash().update(forged.subarray(0, -8)).digest(), forged.length - 8);
  return use(forged);

  function use(capsule: Uint8Array): void {
    const session = model.openSession(capsule);
    try {
      session.positions(0, 0);
      session.prefill([1, 2, 3]);
      session.compress(knorm(), { budget: 3 });
      model.openSession(session.save()).dispose();
    } finally {
      session.dispose();
    }
  }
}

/** Anything at all, of a modest size. */
function anything(dice: Dice): unknown {
  return dice.pick<() => unknown>([
    () => undefined,
    () => null,
    () => oddNumber(dice, false),
    () => oddText(dice),
    () => oddJson(dice),
    () => 5n,
    () => Symbol("x"),
    () => () => 1,
    () => new Float32Array(dice.whole(0, 9)).fill(oddNumber(dice, false)),
    () => Int32Array.from({ length: dice.whole(0, 9) }, () => dice.whole(-2, 9)),
    () => BigInt64Array.of(1n, -1n),
    () => Array.from({ length: dice.whole(0, 5) }, () => dice.whole(-1, 6)),
    () => ({ length: oddNumber(dice, false) }),
    () => new Proxy({}, { get: (_, key) => (key === "length" ? 3 : dice.whole(0, 3)) }),
    () => new DataView(new ArrayBuffer(8)),
    () => new Map([[1, 2]]),
    () => new Date(Number.NaN),
  ])();
}

/** Shapes that fit nothing, or a few thousand numbers at most. */
function shape(dice: Dice): unknown {
  if (dice.chance(0.2)) return anything(dice);
  if (dice.chance(0.1)) return [dice.pick([2 ** 31, 2 ** 40, 2 ** 53, -1, 0.5, Number.NaN]), dice.whole(1, 3)];
  return Array.from({ length: dice.whole(0, 4) }, () => dice.whole(0, 6));
}

/** Operations of the tensor on operands that may be anything. */
export function tensors(dice: Dice): void {
  const made: Tensor[] = [];
  const keep = (tensor: Tensor) => {
    made.push(tensor);
    return tensor;
  };
  const drawn = () => {
    const sizes = Array.from({ length: dice.whole(1, 3) }, () => dice.whole(0, 5));
    const count = sizes.reduce((a, b) => a * b, 1);
    return keep(
      Tensor.from(
        Float32Array.from({ length: count }, () => oddNumber(dice, false)),
        sizes,
      ),
    );
  };
  const operand = () => (dice.chance(0.8) ? drawn() : (anything(dice) as never));
  try {
    const tensor = drawn();
    if (dice.chance(0.05)) tensor.dispose();
    dice.pick<() => unknown>([
      () => keep(Tensor.from(anything(dice) as never, shape(dice) as never)),
      () => keep(Tensor.zeros(shape(dice) as never, dice.chance(0.8) ? undefined : (anything(dice) as never))),
      () => keep(tensor.reshape(shape(dice) as never)),
      () => keep(tensor.matmul(operand())),
      () => keep(tensor.gather(dice.chance(0.5) ? operand() : (anything(dice) as never))),
      () =>
        keep(
          tensor.rotaryEmbedding(
            anything(dice) as never,
            dice.chance(0.5) ? undefined : ({ theta: anything(dice), attentionFactor: anything(dice) } as never),
          ),
        ),
      () => keep(tensor.rerotate(anything(dice) as never, anything(dice) as never, anything(dice) as never)),
      () => keep(tensor.add(operand())),
      () => keep(tensor.softmax()),
      () => keep(tensor.rmsNorm(operand(), anything(dice) as never)),
      () => tensor.toArray(),
    ])();
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

/** Calls of sessions, presses and the model with arguments that may be anything. */
export async function sessions(dice: Dice): Promise<void> {
  const session: Session = model.createSession(
    dice.chance(0.8) ? {} : ({ contextSize: anything(dice), scheme: anything(dice) } as never),
  );
  const odd = (names: readonly string[]): never =>
    (dice.chance(0.2)
      ? anything(dice)
      : Object.fromEntries(names.filter(() => dice.chance(0.3)).map((name) => [name, anything(dice)]))) as never;
  const made = (): unknown => {
    if (dice.chance(0.3)) return anything(dice);
    const name = dice.pick(pressNames) as string;
    return press(name, {
      ...(dice.chance(0.5) ? { press: "knorm" } : {}),
      ...(dice.chance(0.2) ? (odd(["windowSize", "nSink", "chunkLength", "threshold"]) as object) : {}),
    });
  };
  const list = () =>
    dice.chance(0.6) ? Array.from({ length: dice.whole(0, 40) }, () => dice.whole(0, 263)) : (anything(dice) as never);
  const generation = ["maxTokens", "ignoreEnd", "stop", "temperature", "topK", "topP", "minP", "seed", "nope"];
  const drain = async (pieces: AsyncGenerator<string>) => {
    let count = 0;
    for await (const _ of pieces) if (++count > 20) break;
  };
  const call = () =>
    dice.pick<() => unknown>([
      () => session.prefill(list()),
      () =>
        session.prefill(list(), {
          press: made(),
          ...(odd(["budget", "ratio", "bytes", "protect"]) as object),
        } as never),
      () => session.decode(anything(dice) as never),
      () => session.negativeLogLikelihoods(list()),
      () => session.compress(made() as never, odd(["budget", "ratio", "bytes", "protect", "nope"])),
      () => session.keep(anything(dice) as never),
      () =>
        session.read(dice.chance(0.5) ? oddText(dice).slice(0, 200) : (anything(dice) as never), {
          budget: 20,
          chunkLength: 20,
          ...(odd(["questions", "press", "budget", "chunkLength", "onProgress", "signal"]) as object),
        }),
      () =>
        drain(session.ask(dice.chance(0.5) ? oddText(dice).slice(0, 100) : (anything(dice) as never), odd(generation))),
      () =>
        drain(
          session.generate(
            dice.chance(0.5) ? oddText(dice).slice(0, 100) : (anything(dice) as never),
            odd([...generation, "budget", "every", "press"]),
          ),
        ),
      () => session.keys(anything(dice) as never, anything(dice) as never),
      () => model.openSession(anything(dice) as never),
      () => session.fork().dispose(),
      () => session.save(),
      () => model.tokenizer.encode(anything(dice) as never),
      () => model.tokenizer.decode(anything(dice) as never),
      () => model.tokenizer.chatTemplate?.render(anything(dice) as never),
    ])();
  try {
    for (let i = dice.whole(1, 4); i > 0; i--) await call();
  } finally {
    session.dispose();
  }
}
