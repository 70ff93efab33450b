/** Options are checked by name, and any value fits into a message. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError } from "../src/errors.ts";
import { checkOptions } from "../src/options.ts";
import { show } from "../src/show.ts";

const test = suite("options");
const known = ["maxTokens", "temperature", "signal"];

function refusal(given: unknown): string {
  try {
    checkOptions(given, known, "ask");
  } catch (error) {
    assert.instance(error, ArgumentError);
    return (error as ArgumentError).message;
  }
  return "";
}

test("known names pass, with any values", () => {
  assert.is(refusal({}), "");
  assert.is(refusal({ maxTokens: "x", signal: undefined }), "");
});

test("an unknown name is refused with the one that was meant", () => {
  assert.is(refusal({ maxtokens: 5 }), 'ask has no option "maxtokens"; did you mean maxTokens?');
  assert.is(refusal({ max_tokens: 5 }), 'ask has no option "max_tokens"; did you mean maxTokens?');
  assert.is(refusal({ temprature: undefined }), 'ask has no option "temprature"; did you mean temperature?');
  assert.is(refusal({ budget: 5 }), 'ask has no option "budget"; it has maxTokens, temperature, signal');
  assert.ok(refusal({ ["x".repeat(10_000_000)]: 5 }).length < 300);
});

test("what is no object is refused", () => {
  for (const given of [null, 5, "options", ["maxTokens"], () => {}, 5n]) {
    assert.match(refusal(given), /^The options of ask should be an object and are /);
  }
});

test("any value is shown in one short line", () => {
  const nested = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
  const circular: unknown[] = [];
  circular.push(circular);
  const rude = { toString: 1, valueOf: 1, [Symbol.toPrimitive]: 1 };
  const throwing = Object.defineProperty({}, "x", {
    enumerable: true,
    get() {
      throw new Error();
    },
  });
  for (const [value, text] of [
    [undefined, "undefined"],
    [5n, "5n"],
    ["a\nb", '"a\\nb"'],
    [[1, [2, [3]]], "[1, [2, [...]]]"],
    [{ a: "b", c: {} }, '{a: "b", c: {}}'],
    [new Uint8Array(3), "a Uint8Array of 3 bytes"],
    [new Map(), "a Map"],
    [nested, "[[[...]]]"],
    [circular, "[[[...]]]"],
    [rude, "{toString: 1, valueOf: 1}"],
    [throwing, "a value that cannot be shown"],
    [Symbol("s"), "Symbol(s)"],
    [2n ** 200n, "a bigint of more than 128 bits"],
  ] as const) {
    assert.is(show(value), text);
  }
  for (const long of ["x".repeat(1e6), Array(1e6).fill("y".repeat(100)), { ["z".repeat(1e6)]: 1 }]) {
    assert.ok(show(long).length <= 123, show(long));
  }
});

test("a message is cut, however long the name in it", () => {
  const error = new FormatError("x".repeat(1e6), "is odd", 7);
  assert.ok(error.message.length <= 1003);
  assert.is(error.byteOffset, 7);
});

test.run();
