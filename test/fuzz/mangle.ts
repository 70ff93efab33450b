/** Damage done to good input: bytes, JSON values, numbers and texts as nobody should write them. */
import type { Dice } from "../support/random.ts";

/** Numbers at which arithmetic breaks. */
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  2,
  0.5,
  1e-300,
  1e300,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 32,
  2 ** 32 - 1,
  2 ** 53,
  2 ** 53 - 1,
  1e9,
  1e15,
];

/** A number that breaks things; with `finite` false also those that JSON has no word for. */
export function oddNumber(dice: Dice, finite = true): number {
  if (!finite && dice.chance(0.2)) return dice.pick([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  return dice.chance(0.5) ? dice.pick(NUMBERS) : dice.whole(-3, 300);
}

const TEXTS = [
  "",
  " ",
  "\n",
  "\u0000",
  "a",
  "é",
  "漢",
  "👩‍👩‍👧",
  "\ud800",
  "\udc00",
  "\ufeff",
  "\u0085",
  "e\u0301",
  "<|end|>",
  "▁",
  "Ġ",
  "<0x0A>",
  "__proto__",
  "constructor",
  "toString",
  "../x",
  "a/b",
  "{{ x }}",
  "{% if %}",
  "1e999",
  "null",
];

/** A text that breaks things. */
export function oddText(dice: Dice): string {
  const piece = dice.pick(TEXTS);
  if (dice.chance(0.1)) return piece.repeat(dice.pick([10, 1000, 20_000]));
  let text = piece;
  for (let i = dice.whole(0, 4); i > 0; i--) text += dice.pick(TEXTS);
  return text;
}

/** Any value that JSON can hold, now and then deep. */
export function oddJson(dice: Dice): unknown {
  switch (dice.whole(0, 9)) {
    case 0:
      return null;
    case 1:
      return dice.chance(0.5);
    case 2:
    case 3:
    case 4:
      return oddNumber(dice);
    case 5:
    case 6:
      return oddText(dice);
    case 7:
      return Array.from({ length: dice.whole(0, 5) }, () => oddJson(dice));
    case 8:
      return Object.fromEntries(
        Array.from({ length: dice.whole(0, 4) }, () => [oddText(dice).slice(0, 40), oddJson(dice)]),
      );
    default: {
      let deep: unknown = dice.pick([1, "x", null]);
      for (let i = dice.pick([3, 100, 5000]); i > 0; i--) deep = dice.chance(0.5) ? [deep] : { a: deep };
      return deep;
    }
  }
}

/** A copy of a JSON value in which some places hold something else, are gone, or stand twice. */
export function mangleJson(value: unknown, dice: Dice, changes = dice.whole(1, 3)): unknown {
  let result = structuredClone(value);
  for (let i = 0; i < changes; i++) {
    let holder: Record<string, unknown> | undefined;
    let key = "";
    let place = result;
    while (
      typeof place === "object" &&
      place !== null &&
      Object.keys(place).length > 0 &&
      (!holder || dice.chance(0.8))
    ) {
      holder = place as Record<string, unknown>;
      key = dice.pick(Object.keys(place));
      place = holder[key];
    }
    const how = dice.whole(0, 4);
    if (!holder) result = oddJson(dice);
    else if (how === 0) delete holder[key];
    else if (how === 1) holder[oddText(dice).slice(0, 30)] = place;
    else holder[key] = oddJson(dice);
  }
  return result;
}

/** JSON text of a value, now and then cut off or damaged. */
export function oddJsonText(value: unknown, dice: Dice): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(stringify(value));
  return dice.chance(0.1) ? mangleBytes(bytes, dice) : bytes;
}

/** Not by JSON.stringify alone, which overflows the stack on values as deep as some here are. */
export function stringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    const depth = 20_000;
    return "[".repeat(depth) + "]".repeat(depth);
  }
}

/** A copy of bytes with some changed, put in, taken out or cut off, mostly before `end`. */
export function mangleBytes(bytes: Uint8Array, dice: Dice, end = bytes.length): Uint8Array<ArrayBuffer> {
  let result = bytes.slice() as Uint8Array<ArrayBuffer>;
  for (let i = dice.whole(1, 4); i > 0; i--) {
    const limit = dice.chance(0.9) ? Math.min(end, result.length) : result.length;
    const at = dice.whole(0, Math.max(0, limit - 1));
    switch (dice.whole(0, 6)) {
      case 0:
        result = result.slice(0, at);
        break;
      case 1:
        result = Uint8Array.from([
          ...result.subarray(0, at),
          ...Array.from({ length: dice.whole(1, 9) }, () => dice.whole(0, 255)),
          ...result.subarray(at),
        ]);
        break;
      case 2:
        result = Uint8Array.from([...result.subarray(0, at), ...result.subarray(at + dice.whole(1, 9))]);
        break;
      case 3: {
        const view = new DataView(result.buffer);
        const value = BigInt(dice.pick(["0", "1", "255", "4294967295", "18446744073709551615", "9007199254740992"]));
        if (at + 8 <= result.length) view.setBigUint64(at, value, true);
        break;
      }
      default:
        if (result.length > 0) result[at] = dice.chance(0.5) ? dice.pick([0, 1, 127, 128, 255]) : dice.whole(0, 255);
    }
  }
  return result;
}
