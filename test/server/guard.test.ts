/** Who may ask, how much, and how many: hosts, keys, origins, bounds, the queue, what is told of it, and the end. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel } from "../../src/runtimes/node.ts";
import { createHandler, type RequestEntry, type ServerOptions } from "../../src/server/index.ts";
import { FairQueue } from "../../src/server/queue.ts";
import { chatModel } from "../support/chat-model.ts";

const test = suite("server's guards");
const model = await loadModel(chatModel());
const body = { model: "drawn", messages: [{ role: "user", content: "in" }], max_tokens: 3 };

function serve(options: ServerOptions = {}) {
  const handler = createHandler(model, { modelName: "drawn", ...options });
  const ask = (headers: Record<string, string> = {}, given: unknown = body, path = "/v1/chat/completions") =>
    handler.fetch(
      new Request(`http://localhost:8080${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof given === "string" ? given : JSON.stringify(given),
      }),
    );
  const get = (path: string, headers: Record<string, string> = {}) =>
    handler.fetch(new Request(`http://localhost:8080${path}`, { headers }));
  return { handler, ask, get };
}

/** The error of a response, which has OpenAI's shape. */
async function errorOf(response: Response): Promise<{ message: string; type: string; code: string | null }> {
  const { error } = (await response.json()) as { error: { message: string; type: string; code: string | null } };
  assert.equal(Object.keys(error).sort(), ["code", "message", "param", "type"]);
  return error;
}

test("only under the server's own names", async () => {
  const { ask } = serve();
  for (const host of ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"]) {
    assert.is((await ask({ host })).status, 200, host);
  }
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil:8080", "", "10.0.0.1"]) {
    assert.is((await ask({ host })).status, 403, host);
  }
  assert.is((await serve({ hosts: ["My.Host"] }).ask({ host: "my.host:80" })).status, 200);
  assert.is((await serve({ hosts: "any" }).ask({ host: "whatever" })).status, 200);
});

test("only with the key, where there is one", async () => {
  const { ask, get } = serve({ apiKey: "secret" });
  assert.is((await ask({ authorization: "Bearer secret" })).status, 200);
  for (const headers of [
    {},
    { authorization: "Bearer secre" },
    { authorization: "secret" },
    { authorization: "Bearer " },
  ]) {
    const response = await ask(headers as Record<string, string>);
    assert.is(response.status, 401);
    assert.is((await errorOf(response)).code, "invalid_api_key");
  }
  assert.is((await get("/health")).status, 200);
  assert.is((await get("/metrics")).status, 401);
});

test("pages of other origins read nothing unless they are allowed", async () => {
  const origin = "https://page.example";
  const preflight = (options: ServerOptions) =>
    serve(options).handler.fetch(
      new Request("http://localhost/v1/chat/completions", { method: "OPTIONS", headers: { origin } }),
    );
  const { ask } = serve();
  assert.is((await ask({ origin })).headers.get("access-control-allow-origin"), null);
  assert.is((await preflight({})).status, 403);
  for (const [origins, allowed] of [
    [[origin], origin],
    ["*", "*"],
  ] as const) {
    const response = await preflight({ origins });
    assert.is(response.status, 204);
    assert.is(response.headers.get("access-control-allow-origin"), allowed);
    assert.is((await serve({ origins }).ask({ origin })).headers.get("access-control-allow-origin"), allowed);
  }
  assert.is((await preflight({ origins: ["https://other.example"] })).status, 403);
});

test("bodies: no longer than the bound, JSON, and an object", async () => {
  const { ask, handler } = serve({ maxBodyBytes: 300 });
  assert.is((await ask({}, { ...body, user: "x".repeat(300) })).status, 413);
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 100;
      controller.enqueue(new Uint8Array(100).fill(0x20));
    },
  });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: endless, duplex: "half" };
  const response = await handler.fetch(new Request("http://localhost/v1/completions", init as RequestInit));
  assert.is(response.status, 413);
  assert.ok(sent < 2000);
  assert.is((await ask({ "content-type": "text/plain" })).status, 415);
  for (const wrong of ["{", "[]", "3", '"x"', "null", ""]) {
    assert.is((await errorOf(await ask({}, wrong))).type, "invalid_request_error", wrong);
  }
});

test("paths and methods", async () => {
  const { ask, get } = serve();
  assert.is((await get("/v1/chat/completions")).status, 405);
  assert.is((await get("/v1/other")).status, 404);
  assert.is((await ask({}, body, "/v1/models")).status, 405);
  assert.is((await get("/constructor")).status, 404);
  assert.is((await get("/v1/models/drawn")).status, 200);
});

test("no more wait than may: 429, with a time to come back", async () => {
  const { ask, handler } = serve({ concurrency: 1, maxWaiting: 2 });
  const long = { ...body, max_tokens: 60, logit_bias: { [model.tokenizer.eosTokens[0]!]: -100 } };
  const responses = await Promise.all([1, 2, 3, 4, 5].map(() => ask({}, long)));
  assert.equal(responses.map(({ status }) => status).sort(), [200, 200, 200, 429, 429]);
  const turned = responses.find(({ status }) => status === 429)!;
  assert.ok(Number(turned.headers.get("retry-after")) >= 1);
  assert.is((await errorOf(turned)).type, "rate_limit_error");
  await handler.close();
});

test("clients take turns, whoever goes away while waiting is forgotten", async () => {
  const queue = new FairQueue(1, 10);
  const signal = new AbortController().signal;
  const leave = await queue.enter("first", signal);
  const order: string[] = [];
  const wait = async (client: string, name: string, given = signal) => {
    const done = await queue.enter(client, given);
    order.push(name);
    done();
    done();
  };
  const gone = new AbortController();
  const waiting = [
    wait("greedy", "g1"),
    wait("greedy", "g2"),
    wait("greedy", "g3"),
    wait("modest", "m1"),
    wait("other", "o1"),
    wait("other", "never", gone.signal).catch(() => {}),
  ];
  assert.is(queue.waiting, 6);
  gone.abort();
  assert.is(queue.waiting, 5);
  leave();
  await Promise.all(waiting);
  assert.equal(order, ["g1", "m1", "o1", "g2", "g3"]);
  assert.equal([queue.running, queue.waiting], [0, 0]);
  await queue.idle();
});

test("health, metrics and one entry for each request", async () => {
  const entries: RequestEntry[] = [];
  const { ask, get } = serve({ onRequest: (entry) => entries.push(entry) });
  assert.equal(await (await get("/health")).json(), { status: "ok" });
  const answered = await ask();
  await ask({ host: "evil" });
  assert.equal(
    entries.map(({ path, status }) => [path, status]),
    [
      ["/health", 200],
      ["/v1/chat/completions", 200],
      ["/v1/chat/completions", 403],
    ],
  );
  assert.is(entries[1]!.id, answered.headers.get("x-request-id"));
  assert.ok(entries[1]!.promptTokens > 0 && entries[1]!.answerTokens > 0);
  const text = await (await get("/metrics")).text();
  assert.match(text, /siskin_requests_total\{path="\/v1\/chat\/completions",status="200"\} 1\n/);
  assert.match(text, /# TYPE siskin_request_seconds histogram\n/);
  assert.match(text, new RegExp(`siskin_tokens_total\\{kind="answer"\\} ${entries[1]!.answerTokens}\n`));
  for (const line of text.trimEnd().split("\n")) assert.match(line, /^(# (HELP|TYPE) siskin_|siskin_\S+ -?[\d.e+-]+$)/);
});

test("closing lets what runs end, refuses the rest, and frees what was kept", async () => {
  const { ask, handler } = serve();
  await ask();
  const running = ask({}, { ...body, max_tokens: 40 });
  await new Promise((resolve) => setTimeout(resolve, 1));
  const closing = handler.close();
  assert.is((await ask()).status, 503);
  assert.is((await running).status, 200);
  await closing;
  model.dispose();
});

test.run();
