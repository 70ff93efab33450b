/** A file behind a URL whose server breaks off, stalls, lies or changes it: what comes is the file, or an error that says why not. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError, UnsupportedError } from "../../src/errors.ts";
import { fetchSource } from "../../src/formats/fetch-source.ts";

const test = suite("downloads that break");
const data = Uint8Array.from({ length: 100_000 }, (_, index) => (index * index) >> 5);
const other = data.map((byte) => byte ^ 1);

type Answer = (request: IncomingMessage, response: ServerResponse, start: number) => void;

/** Reads the file from a server that gives one answer after another, the last again and again; and what it was asked. */
async function download(answers: readonly Answer[], signal?: AbortSignal) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)]!;
    const { range, "if-range": condition } = request.headers;
    asked.push(range && [range, condition].filter(Boolean).join(" if "));
    answer(request, response, Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/m.gguf`;
  try {
    const source = (await fetchSource(url, { signal }))!;
    const outcome = await source.readAll(1e9).catch((error: unknown) => error);
    await source.close();
    return { outcome, asked };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Sends the rest of `bytes`, or `count` of it and breaks off. */
function send(bytes: Uint8Array, headers: Record<string, string>, count = Number.POSITIVE_INFINITY): Answer {
  return (_request, response, start) => {
    const body = bytes.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      ...headers,
      "content-length": body.length,
      ...(start > 0 && { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    });
    if (body.length <= count) response.end(body);
    else response.write(body.subarray(0, count), () => setTimeout(() => response.destroy(), 20));
  };
}

/** Sends all from the beginning, whatever was asked for. */
function sendWhole(bytes: Uint8Array, headers: Record<string, string>): Answer {
  return (_request, response) => {
    response.writeHead(200, { ...headers, "content-length": bytes.length });
    response.end(bytes);
  };
}

const refuse =
  (status: number): Answer =>
  (_request, response) =>
    void response.writeHead(status).end();
const hangUp: Answer = (_request, response) => void response.destroy();

const etag = { etag: '"one"' };
const dated = { "last-modified": "Wed, 25 Nov 2026 10:00:00 GMT" };

test("goes on where the connection broke, again and again, while the tag is the same", async () => {
  const { outcome, asked } = await download([send(data, etag, 30_000), send(data, etag, 30_000), send(data, etag)]);
  assert.equal(outcome, data);
  assert.is(asked.length, 3);
  assert.match(asked[1]!, /^bytes=30000- if "one"$/);
  assert.match(asked[2]!, /^bytes=60000- if "one"$/);
});

test("by the date, where there is no tag; by nothing, where the length is the same", async () => {
  const byDate = await download([send(data, dated, 30_000), send(data, dated)]);
  assert.equal(byDate.outcome, data);
  assert.is(byDate.asked[1], `bytes=30000- if ${dated["last-modified"]}`);
  const byNothing = await download([send(data, {}, 30_000), send(data, {})]);
  assert.equal(byNothing.outcome, data);
  assert.is(byNothing.asked[1], "bytes=30000-");
});

test("a weak tag is compared, and promises nothing to the server", async () => {
  const weak = { etag: 'W/"one"' };
  const { outcome, asked } = await download([send(data, weak, 30_000), send(data, weak)]);
  assert.equal(outcome, data);
  assert.is(asked[1], "bytes=30000-");
  assert.instance(
    (await download([send(data, weak, 30_000), send(other, { etag: 'W/"two"' })])).outcome,
    UnsupportedError,
  );
});

test("waits out servers that are not there or busy", async () => {
  const { outcome, asked } = await download([send(data, etag, 30_000), refuse(503), hangUp, send(data, etag)]);
  assert.equal(outcome, data);
  assert.is(asked.length, 4);
});

test("a server that knows no ranges sends all again, and what was read is passed over", async () => {
  const { outcome } = await download([send(data, etag, 30_000), sendWhole(data, etag)]);
  assert.equal(outcome, data);
});

const changed: [string, Answer][] = [
  ["another tag, as a whole", sendWhole(other, { etag: '"two"' })],
  ["another tag, as a range", send(other, { etag: '"two"' })],
  ["another length", send(data.subarray(0, 90_000), etag)],
];
for (const [name, answer] of changed) {
  test(`two states of a file are never put together: ${name}`, async () => {
    const { outcome } = await download([send(data, etag, 30_000), answer]);
    assert.instance(outcome, UnsupportedError);
    assert.match((outcome as Error).message, /m\.gguf: was changed on the server while it was loaded/);
  });
}

const lost: [string, Record<string, string>, Answer][] = [
  ["nothing says that it is the same", {}, sendWhole(data, {})],
  ["the rest is gone", etag, refuse(404)],
  ["nobody is let in any more", etag, refuse(403)],
  [
    "another range comes than was asked for",
    etag,
    (_request, response) => {
      const range = `bytes 0-${data.length - 1}/${data.length}`;
      response.writeHead(206, { ...etag, "content-range": range, "content-length": data.length }).end(data);
    },
  ],
  ["a range comes that does not say which", etag, (_request, response) => void response.writeHead(206, etag).end(data)],
];
for (const [name, headers, answer] of lost) {
  test(`the connection is lost: ${name}`, async () => {
    const { outcome, asked } = await download([send(data, headers, 30_000), answer]);
    assert.instance(outcome, UnsupportedError);
    assert.match((outcome as Error).message, /m\.gguf: the connection was lost at byte 30000/);
    assert.is(asked.length, 2);
  });
}

test("an end that comes too early is no end", async () => {
  // Chunked: only the range that follows says how long the file is.
  const short: Answer = (_request, response) => {
    response.writeHead(200, etag);
    response.write(data.subarray(0, 30_000), () => setTimeout(() => response.destroy(), 20));
  };
  assert.equal((await download([short, send(data, etag)])).outcome, data);
});

test("what travels compressed is not gone on with", async () => {
  const compressed: Answer = (_request, response) => {
    response.writeHead(200, { ...etag, "content-encoding": "identity" });
    response.write(data.subarray(0, 30_000), () => setTimeout(() => response.destroy(), 20));
  };
  const { outcome, asked } = await download([compressed]);
  assert.ok(outcome instanceof UnsupportedError || outcome instanceof FormatError);
  assert.is(asked.length, 1);
});

test("an abort ends the wait for the next attempt at once", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const started = performance.now();
  setTimeout(() => controller.abort(reason), 400);
  const { outcome } = await download([send(data, etag, 30_000), hangUp], controller.signal);
  assert.is(outcome, reason);
  assert.ok(performance.now() - started < 3000);
});

test.run();
