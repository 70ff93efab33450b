/** Text that loops is cut behind the first time; lists and numbers that only look alike are left. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loopStart } from "../../src/cli/repetition.ts";

const test = suite("repetition");

test("a loop is noticed at its fourth time, and cut behind its first", () => {
  const loop = "The sun is yellow. Here we go. ";
  for (const before of ["", "Look: "]) {
    assert.is(loopStart(before + loop.repeat(3)), undefined);
    const cut = loopStart(before + loop.repeat(4))!;
    // The space before the loop may count as the end of a time before it.
    assert.is((before + loop.repeat(4)).slice(0, cut).trim(), (before + loop).trim());
    // Cut within, too: the end of what was drawn is anywhere in the loop.
    const within = `${before}${loop.repeat(5)}The sun`;
    assert.is(within.slice(0, loopStart(within)).trim(), (before + loop).trim());
  }
});

test("short loops count from 40 characters on", () => {
  assert.is(loopStart("no ".repeat(10)), undefined);
  assert.is("no ".repeat(20).slice(0, loopStart("no ".repeat(20))), "no ");
  assert.is(loopStart(`${"=".repeat(30)}`), undefined);
  assert.is(loopStart(`Title ${"=".repeat(60)}`), "Title =".length);
});

test("a long loop is found up to a quarter of what is looked at, longer text notwithstanding", () => {
  const paragraph = Array.from({ length: 60 }, (_, index) => `word${index}`).join(" ");
  const before = Array.from({ length: 500 }, (_, index) => String(index)).join(" ");
  assert.is(
    loopStart(`${before} ${paragraph.slice(0, 399)}`.concat(paragraph.slice(0, 399).repeat(3))),
    before.length + 1 + 399,
  );
});

test("what is not the same is no loop", () => {
  assert.is(loopStart(Array.from({ length: 60 }, (_, index) => `${index}. the word`).join("\n")), undefined);
  assert.is(loopStart("A rose is a rose is a rose is a rose."), undefined);
  assert.is(loopStart(""), undefined);
});

test.run();
