/** The progress line: written over on a terminal, never longer than it is wide, absent elsewhere. */
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Progress } from "../../src/cli/progress.ts";

const test = suite("progress");

/** What is written while `work` believes that standard error is a terminal of this width, or none, at times it sets. */
function written(columns: number | undefined, work: (at: (milliseconds: number) => void) => void): string[] {
  const { stderr } = process;
  const kept = { write: stderr.write, isTTY: stderr.isTTY, columns: stderr.columns, now: performance.now };
  const lines: string[] = [];
  let time = 0;
  const write = (text: string | Uint8Array) => lines.push(String(text)) > 0;
  Object.assign(stderr, { write, isTTY: columns !== undefined, columns });
  performance.now = () => time;
  try {
    work((milliseconds) => {
      time = milliseconds;
    });
  } finally {
    const { now, ...stream } = kept;
    Object.assign(stderr, stream);
    performance.now = now;
  }
  return lines;
}

const state = (tokensRead: number, tokensTotal?: number) => ({
  documentTokens: tokensRead - 2,
  tokensRead,
  tokensTotal,
  entries: 512,
  cacheBytes: 4196608,
});

function reading(always: boolean): (at: (milliseconds: number) => void) => void {
  return (at) => {
    const progress = new Progress(always);
    at(500);
    progress.reading(state(512, 2048), 0.5);
    // Too soon for another line.
    at(550);
    progress.reading(state(1024, 2048), 0.55);
    at(2600);
    progress.reading(state(2048, 2048), 2.6);
    progress.read(state(2048, 2048), 2.6, 83_000_000);
    progress.end();
  };
}

test("one line on a terminal, taken away by the last word", () => {
  assert.equal(written(120, reading(false)), [
    "\r\x1b[Kread 512 of 2,048 tokens, 1,024 tokens/s, 512 cache entries in 4.2 MB, 2 s left",
    "\r\x1b[Kread 2,048 of 2,048 tokens, 788 tokens/s, 512 cache entries in 4.2 MB, 0 s left",
    "\r\x1b[K",
    "read 2,048 tokens in 2.6 s, 788 tokens/s; 512 cache entries in 4.2 MB; memory at most 83.0 MB\n",
  ]);
});

test("cut to a narrow terminal", () => {
  assert.is(written(20, reading(false))[0], "\r\x1b[Kread 512 of 2,048 t");
});

test("nothing elsewhere, unless asked for: then a line now and then", () => {
  assert.equal(written(undefined, reading(false)), []);
  assert.equal(written(undefined, reading(true)), [
    "read 2,048 of 2,048 tokens, 788 tokens/s, 512 cache entries in 4.2 MB, 0 s left\n",
    "read 2,048 tokens in 2.6 s, 788 tokens/s; 512 cache entries in 4.2 MB; memory at most 83.0 MB\n",
  ]);
});

test("an evaluation: what is left, by the time that those measured now have taken", () => {
  const lines = written(120, (at) => {
    const progress = new Progress(false);
    for (const [fresh, seconds] of [
      [0, 1],
      [2, 3],
      [2, 240],
      [2, 8000],
    ] as const) {
      at(seconds * 1000);
      progress.measuring(4, 10, fresh, seconds, "siskin");
    }
  });
  assert.equal(
    lines.map((line) => line.slice(4)),
    [
      "4 of 10 measured; siskin",
      "4 of 10 measured, 9 s left; siskin",
      "4 of 10 measured, 12 min left; siskin",
      "4 of 10 measured, 6.7 h left; siskin",
    ],
  );
});

test("an aborted reading leaves no line; a stream's length is not known", () => {
  const aborted = written(120, (at) => {
    const progress = new Progress(false);
    at(200);
    progress.reading(state(512), 0.5);
    progress.end();
    progress.end();
  });
  assert.equal(aborted, ["\r\x1b[Kread 512 tokens, 1,024 tokens/s, 512 cache entries in 4.2 MB", "\r\x1b[K"]);
});

test.run();
