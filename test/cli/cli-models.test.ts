/** `siskin models`, and `--model org/name`: downloaded once, whoever else downloads it, and used without a network from then on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commitOne, type StandIn, sendFile, sha256, standIn } from "../support/hub.ts";
import { run } from "./siskin.ts";

const test = suite<{ hub: StandIn; home: string }>("siskin models");
const names = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
const nano = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(`models/nano/${name}`))]));
const weights = nano["model.safetensors"]!;

test.before.each(async (context) => {
  context.home = mkdtempSync(join(tmpdir(), "siskin-hub-"));
  context.hub = await standIn({ "org/nano": { commit: commitOne, files: nano } });
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"]) delete process.env[name];
  process.env.HF_HOME = context.home;
  process.env.HF_ENDPOINT = context.hub.endpoint;
});

test.after.each(({ hub, home }) => {
  hub.close();
  rmSync(home, { recursive: true, force: true });
});

const blobs = (home: string) => join(home, "hub", "models--org--nano", "blobs");

test("ask downloads once, with progress, and works offline the second time", async ({ hub, home }) => {
  const document = join(home, "story.txt");
  writeFileSync(document, "The key of room 480 is made of brass. It hangs behind the door.");
  const words = ["ask", "What is the key made of?", "--document", document];
  const { stdout } = await run(words);
  // Slowly enough for a line of progress, which come every two seconds.
  hub.misbehave = (request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/")) return false;
    response.writeHead(200, { "content-length": weights.length });
    response.write(weights.subarray(0, 1_000_000));
    setTimeout(() => response.write(weights.subarray(1_000_000, 2_000_000)), 2_200);
    setTimeout(() => response.end(weights.subarray(2_000_000)), 2_300);
    return request.method === "GET";
  };
  const first = await run([...words, "--model", "org/nano", "--progress"]);
  assert.is(first.code, 0, first.stderr);
  assert.is(first.stdout, stdout);
  assert.match(first.stderr, /^downloading [\d.]+ MB of [\d.]+ MB$/m);
  hub.close();
  const second = await run([...words, "--model", "org/nano", "--progress"]);
  assert.is(second.stdout, stdout);
  assert.not.match(second.stderr, /downloading/);
});

test("fetches, lists and removes", async ({ hub, home }) => {
  assert.equal(await run(["models"]), { code: 0, stdout: `No models in ${join(home, "hub")}\n`, stderr: "" });
  const fetched = await run(["models", "fetch", "org/nano"]);
  assert.equal(fetched, { code: 0, stdout: `org/nano is in ${join(home, "hub")}\n`, stderr: "" });
  const listed = await run(["models", "list"]);
  assert.match(listed.stdout, /^org\/nano +[\d.]+ MB {2}main\n$/);
  const [model] = JSON.parse((await run(["models", "list", "--json"])).stdout);
  const byteLength = Object.values(nano).reduce((sum, { length }) => sum + length, 0);
  const folder = join(home, "hub", "models--org--nano");
  assert.equal(model, { name: "org/nano", revisions: ["main"], byteLength, incomplete: false, folder });
  assert.is((await run(["models", "fetch", `org/nano@${commitOne}`])).code, 0);
  hub.asked.length = 0;
  const removed = await run(["models", "remove", "org/nano"]);
  assert.match(removed.stdout, /^org\/nano removed, [\d.]+ MB\n$/);
  assert.not.ok(existsSync(folder));
  assert.equal(hub.asked, []);
});

const wrong: [string[], RegExp][] = [
  [["remove", "org/none"], /^siskin: org\/none: is not in the cache, .*\n$/],
  [["remove", "org/nano:Q4_K_M"], /^siskin: org\/nano:Q4_K_M is not the name of a model: org\/name: all its revisions/],
  [["remove", "../x"], /^siskin: \.\.\/x is not the name of a model/],
  [["fetch", "nano"], /^siskin: nano is not the name of a model: org\/name, /],
  [["fetch", "org/none"], /^siskin: org\/none: there is no such model on http/],
  [["forget"], /^siskin: /],
];
for (const [words, message] of wrong) {
  test(`refuses ${words.join(" ")}`, async () => {
    const { code, stderr } = await run(["models", ...words]);
    assert.is(code, 1);
    assert.match(stderr, message);
  });
}

test("two processes that download the same file do not spoil it", async ({ hub, home }) => {
  hub.misbehave = (request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/")) return false;
    response.writeHead(200, { "content-length": weights.length });
    // In pieces, so that the two overlap.
    let at = 0;
    const next = () => {
      if (at >= weights.length) return response.end();
      response.write(weights.subarray(at, at + 300_000));
      at += 300_000;
      return setTimeout(next, 30);
    };
    next();
    return request.method === "GET";
  };
  const outcomes = await Promise.all([1, 2, 3].map(() => run(["models", "fetch", "org/nano"])));
  for (const { code, stderr } of outcomes) assert.is(code, 0, stderr);
  assert.equal(new Uint8Array(readFileSync(join(blobs(home), sha256(weights)))), weights);
  assert.is(readdirSync(blobs(home)).length, names.length);
});

test("a process that was killed midway is gone on from", async ({ hub, home }) => {
  const half = weights.length >> 1;
  hub.misbehave = (_request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/")) return false;
    response.writeHead(200, { "content-length": weights.length });
    return response.write(weights.subarray(0, half)) || true;
  };
  const child = spawn(process.execPath, ["dist/cli.js", "models", "fetch", "org/nano"], { stdio: "ignore" });
  const left = () => {
    const names = existsSync(blobs(home)) ? readdirSync(blobs(home)) : [];
    const name = names.find((blob) => blob.startsWith(sha256(weights)));
    return name && statSync(join(blobs(home), name)).size;
  };
  while (left() !== half) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.match((await run(["models"])).stdout, /\(incomplete\)$/m);
  hub.misbehave = undefined;
  hub.asked.length = 0;
  assert.is((await run(["models", "fetch", "org/nano"])).code, 0);
  assert.ok(hub.asked.includes(`GET /storage/org/nano/model.safetensors bytes=${half}-`), hub.asked.join("\n"));
  assert.equal(new Uint8Array(readFileSync(join(blobs(home), sha256(weights)))), weights);
  assert.is(readdirSync(blobs(home)).length, names.length);
});

test("a file that changes on the Hub in the middle is fetched anew", async ({ hub, home }) => {
  let answers = 0;
  hub.misbehave = (request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/")) return false;
    if (answers++ > 0) return sendFile(hub, request, response, weights, '"after"');
    response.writeHead(200, { "content-length": weights.length, etag: '"before"' });
    response.write(new Uint8Array(100_000), () => setTimeout(() => response.destroy(), 20));
    return true;
  };
  const { code, stderr } = await run(["models", "fetch", "org/nano"]);
  assert.is(code, 0, stderr);
  assert.equal(new Uint8Array(readFileSync(join(blobs(home), sha256(weights)))), weights);
});

test.run();
