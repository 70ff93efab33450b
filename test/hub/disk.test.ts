/** Models of the Hub on Node: fetched once into huggingface_hub's cache, whatever the network does, and read from there. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError, type LoadOptions, loadModel, UnsupportedError } from "../../src/runtimes/node.ts";
import { assertSame } from "../support/assertions.ts";
import { commitOne, commitTwo, gitHash, type StandIn, sha256, standIn } from "../support/hub.ts";
import { ggufParts, shardedFolder } from "../support/split-models.ts";
import { tinyFolder, tinyGguf, tinyModel } from "../support/tiny-model.ts";

const test = suite<{ hub: StandIn; home: string }>("models of the Hub, on disk");
const tokens = [72, 101, 108, 108, 111];
const tiny = tinyModel();
const folder = tinyFolder(tiny);
const gguf = tinyGguf(tiny);
const weights = folder["model.safetensors"]!;
const inFolder = (name: string, files: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`${name}/${path}`, bytes]));

test.before.each(async (context) => {
  context.home = mkdtempSync(join(tmpdir(), "siskin-hub-"));
  context.hub = await standIn({
    "org/tiny": { commit: commitOne, files: { ...folder, "README.md": new Uint8Array(9), "onnx/model.onnx": gguf } },
    "org/shards": { commit: commitOne, files: shardedFolder(tiny) },
    "org/tiny-GGUF": {
      commit: commitOne,
      files: {
        "tiny-Q4_K_M.gguf": gguf,
        "tiny-Q8_0.gguf": gguf.slice(0, 100),
        "mmproj-tiny-Q4_K_M.gguf": gguf.slice(0, 100),
        ...inFolder("BF16", ggufParts(tiny)),
      },
    },
    "org/one-GGUF": { commit: commitOne, files: { "config.json": folder["config.json"]!, "one.gguf": gguf } },
    "org/other": { commit: commitOne, files: { "pytorch_model.bin": gguf } },
  });
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "XDG_CACHE_HOME"]) {
    delete process.env[name];
  }
  process.env.HF_HOME = context.home;
  process.env.HF_ENDPOINT = `${context.hub.endpoint}/`;
});

test.after.each(({ hub, home }) => {
  hub.close();
  rmSync(home, { recursive: true, force: true });
});

async function logitsOf(name: string, options?: LoadOptions): Promise<Float32Array> {
  const model = await loadModel(name, options);
  try {
    return model.createSession().prefill(tokens);
  } finally {
    model.dispose();
  }
}

async function faultOf(name: string, options?: LoadOptions): Promise<Error> {
  return loadModel(name, options).then(
    () => assert.unreachable("it loads") as never,
    (error) => error,
  );
}

const expected = await (async () => {
  const model = await loadModel(gguf);
  return model.createSession().prefill(tokens);
})();
const expectedFolder = await (async () => {
  const model = await loadModel(folder);
  return model.createSession().prefill(tokens);
})();

const filesAsked = (hub: StandIn) => hub.asked.filter((line) => line.includes("/resolve/"));
const blobsOf = (home: string, name = "tiny") => join(home, "hub", `models--org--${name}`, "blobs");

test("a folder: what the loader needs and no more, in the layout of huggingface_hub", async ({ hub, home }) => {
  const progress: string[] = [];
  let last = 0;
  const onProgress: LoadOptions["onProgress"] = ({ stage, bytesRead, bytesTotal }) => {
    if (progress.at(-1) !== stage) {
      progress.push(stage);
      last = 0;
    }
    assert.ok(bytesRead >= last && bytesRead <= bytesTotal);
    last = bytesRead;
    if (stage === "download")
      assert.is(
        bytesTotal,
        Object.values(folder).reduce((sum, { length }) => sum + length, 0),
      );
  };
  assertSame(await logitsOf("org/tiny", { onProgress }), expectedFolder);
  assert.equal(progress, ["download", "load"]);
  const root = join(home, "hub", "models--org--tiny");
  assert.is(readFileSync(join(root, "refs", "main"), "utf8"), commitOne);
  assert.equal(readdirSync(join(root, "snapshots", commitOne)).sort(), Object.keys(folder).sort());
  for (const [path, bytes] of Object.entries(folder)) {
    const pointer = join(root, "snapshots", commitOne, path);
    assert.ok(lstatSync(pointer).isSymbolicLink());
    const etag = path.endsWith(".safetensors") ? sha256(bytes) : gitHash(bytes);
    assert.is(readlinkSync(pointer), `../../blobs/${etag}`);
    assert.equal(new Uint8Array(readFileSync(pointer)), new Uint8Array(bytes));
  }
  assert.equal(readdirSync(join(root, "blobs")).length, Object.keys(folder).length);
  assert.is(filesAsked(hub).length, Object.keys(folder).length);
});

test("the second time nothing is downloaded, and without a network it still works", async ({ hub }) => {
  await logitsOf("org/tiny");
  await logitsOf("org/tiny-GGUF:Q4_K_M");
  hub.asked.length = 0;
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assertSame(await logitsOf("org/tiny@main"), expectedFolder);
  assert.equal(filesAsked(hub), []);
  hub.misbehave = (_request, response) => Boolean(response.writeHead(503).end());
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  hub.asked.length = 0;
  process.env.HF_HUB_OFFLINE = "1";
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assert.equal(hub.asked, []);
  assert.match((await faultOf("org/shards")).message, /^org\/shards: .*is not in the cache, and HF_HUB_OFFLINE/);
  delete process.env.HF_HUB_OFFLINE;
  hub.close();
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assertSame(await logitsOf(`org/tiny@${commitOne}`), expectedFolder);
  assertSame(await logitsOf("org/tiny-GGUF:Q4_K_M"), expected);
  const fault = await faultOf("org/shards");
  assert.instance(fault, UnsupportedError);
  assert.match(
    fault.message,
    /^org\/shards: there is no such file or folder, and as a name on the Hub: http.*cannot be reached/,
  );
});

test("shards, and every kind of GGUF", async ({ hub }) => {
  assertSame(await logitsOf("org/shards"), expectedFolder);
  assertSame(await logitsOf("org/tiny-GGUF:q4_k_m"), expected);
  assertSame(await logitsOf("org/tiny-GGUF:BF16"), expected);
  assertSame(await logitsOf("org/tiny-GGUF:tiny-Q4_K_M.gguf@main"), expected);
  assertSame(await logitsOf("org/one-GGUF"), expected);
  const several = await faultOf("org/tiny-GGUF");
  assert.instance(several, ArgumentError);
  assert.match(
    several.message,
    /several GGUF files; say which, .*: tiny-Q4_K_M\.gguf, tiny-Q8_0\.gguf, BF16\/tiny-00001-of-00003\.gguf/,
  );
  const none = await faultOf("org/tiny-GGUF:Q5_K");
  assert.instance(none, ArgumentError);
  assert.match(none.message, /has no GGUF file of Q5_K; it has tiny-Q4_K_M\.gguf, /);
  assert.match((await faultOf("org/tiny:Q4_K_M")).message, /has no GGUF file, and so none of Q4_K_M/);
  assert.match(
    (await faultOf("org/other")).message,
    /neither model\.safetensors nor a GGUF file, only pytorch_model\.bin/,
  );
  assert.ok(hub.asked.length > 0);
});

test("mirrors that only know the tree, or that say nothing of a file but in its own answer", async ({ hub, home }) => {
  hub.misbehave = (_request, response, { pathname }) =>
    pathname.includes("/revision/") && Boolean(response.writeHead(404).end());
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assert.is(readFileSync(join(home, "hub", "models--org--tiny", "refs", "main"), "utf8"), commitOne);
  hub.misbehave = (_request, response, { pathname }) => {
    if (!pathname.includes("/revision/")) return false;
    const siblings = Object.keys(shardedFolder(tiny)).map((rfilename) => ({ rfilename }));
    return Boolean(response.end(JSON.stringify({ sha: commitOne, siblings })));
  };
  assertSame(await logitsOf("org/shards"), expectedFolder);
  assert.ok(
    existsSync(join(blobsOf(home, "shards"), sha256(shardedFolder(tiny)["model-00001-of-00002.safetensors"]!))),
  );
});

test("a branch that moves: only what changed is downloaded, and the old commit stays", async ({ hub }) => {
  await logitsOf("org/tiny");
  const other = tinyFolder(tinyModel({}, {}, 2));
  hub.repositories["org/tiny"] = {
    commit: commitTwo,
    files: { ...folder, "model.safetensors": other["model.safetensors"]! },
  };
  hub.asked.length = 0;
  const moved = await logitsOf("org/tiny");
  assert.not.equal(moved, expectedFolder);
  assert.equal(filesAsked(hub), [`GET /org/tiny/resolve/${commitTwo}/model.safetensors`]);
  hub.close();
  assertSame(await logitsOf(`org/tiny@${commitOne}`), expectedFolder);
  assertSame(await logitsOf("org/tiny"), moved);
});

test("what is refused", async ({ hub }) => {
  const wrong: [string, RegExp][] = [
    [
      "org/none",
      /^org\/none: there is no such file or folder, and as a name on the Hub: there is no such model on http/,
    ],
    ["org/tiny@dev", /^org\/tiny@dev: has no revision "dev" on http/],
    ["org/none:Q4_K_M", /^org\/none:Q4_K_M: there is no such model on http/],
  ];
  for (const [name, message] of wrong) {
    const fault = await faultOf(name);
    assert.instance(fault, UnsupportedError);
    assert.match(fault.message, message);
  }
  hub.asked.length = 0;
  for (const name of [
    "a/b/c",
    "./org/tiny",
    "org",
    "org/..",
    "org/tiny@../x",
    "org/tiny:a:b",
    "org/a--b",
    "org/m.gguf",
    "-a/b",
  ]) {
    assert.match((await faultOf(name)).message, /there is no such file/, name);
  }
  assert.equal(hub.asked, []);
  hub.misbehave = (_request, response) => Boolean(response.end("<html>"));
  assert.match((await faultOf("org/tiny:Q4")).message, /its answer is not whole, or not JSON/);
  hub.misbehave = (_request, response) => Boolean(response.end("[1]"));
  assert.match((await faultOf("org/tiny:Q4")).message, /does not answer as the Hub does/);
});

test("paths in a list never lead out of the cache", async ({ hub, home }) => {
  hub.repositories["org/tiny"]!.files = {
    ...folder,
    "../../../../evil": gguf,
    "additional_chat_templates/../x.jinja": gguf,
  };
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assert.equal(readdirSync(home), ["hub"]);
  const evil = { rfilename: "model.safetensors", blobId: "../../../evil", size: 4 };
  hub.misbehave = (_request, response, { pathname }) =>
    pathname.includes("/revision/") && Boolean(response.end(JSON.stringify({ sha: commitTwo, siblings: [evil] })));
  await faultOf("org/tiny");
  assert.equal(readdirSync(home), ["hub"]);
});

test("the token goes to the Hub and nowhere else", async ({ hub, home }) => {
  hub.token = "hf_secret";
  const fault = await faultOf("org/tiny@main");
  assert.instance(fault, UnsupportedError);
  assert.match(fault.message, /not open to everybody .*set HF_TOKEN/);
  process.env.HF_TOKEN = "hf_wrong";
  assert.match((await faultOf("org/tiny@main")).message, /the token that was given does not open it/);
  process.env.HF_TOKEN = "hf_secret";
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  delete process.env.HF_TOKEN;
  assertSame(await logitsOf("org/shards", { hub: { token: "hf_secret" } }), expectedFolder);
  writeFileSync(join(home, "token"), "hf_secret\n");
  assertSame(await logitsOf("org/one-GGUF"), expected);
});

test("a path that exists comes before a name; the cache's folder may be named", async ({ hub, home }) => {
  mkdirSync(join(home, "org", "tiny"), { recursive: true });
  const before = process.cwd();
  process.chdir(home);
  try {
    assert.match((await faultOf("org/tiny")).message, /^org\/tiny: has no config\.json \(it is empty\)$/);
    assert.equal(hub.asked, []);
  } finally {
    process.chdir(before);
  }
  process.env.HF_HUB_CACHE = join(home, "elsewhere");
  await logitsOf("org/tiny");
  assert.ok(existsSync(join(home, "elsewhere", "models--org--tiny", "refs", "main")));
});

/** Breaks off the first answers for the weights after half of what they should send. */
function breakOff(hub: StandIn, times: number): void {
  hub.misbehave = (request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/") || times-- <= 0) return false;
    const start = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
    const half = weights.subarray(start, start + ((weights.length - start) >> 1));
    response.writeHead(start ? 206 : 200, {
      etag: '"model.safetensors-storage"',
      "content-length": weights.length - start,
      ...(start > 0 && { "content-range": `bytes ${start}-${weights.length - 1}/${weights.length}` }),
    });
    hub.sent += half.length;
    response.write(half, () => setTimeout(() => response.destroy(), 20));
    return true;
  };
}

test("a connection that breaks is gone on with", async ({ hub }) => {
  breakOff(hub, 2);
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assert.is(
    hub.sent,
    Object.values(folder).reduce((sum, { length }) => sum + length, 0),
  );
});

test("a download that was aborted goes on the next time", async ({ hub, home }) => {
  const half = weights.length >> 1;
  hub.misbehave = (_request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/")) return false;
    response.writeHead(200, { "content-length": weights.length });
    response.write(weights.subarray(0, half));
    return true;
  };
  const controller = new AbortController();
  const reason = new Error("enough");
  let read = 0;
  const all = Object.values(folder).reduce((sum, { length }) => sum + length, 0);
  const onProgress: LoadOptions["onProgress"] = ({ bytesRead }) => {
    read = bytesRead;
    if (bytesRead === all - weights.length + half) setTimeout(() => controller.abort(reason), 30);
  };
  assert.is(await faultOf("org/tiny", { signal: controller.signal, onProgress }), reason);
  assert.is(read, all - weights.length + half);
  // The file is given back a moment after the abort.
  const left = `${sha256(weights)}.siskin.incomplete`;
  for (let tries = 0; tries < 100 && !existsSync(join(blobsOf(home), left)); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(existsSync(join(blobsOf(home), left)));
  hub.misbehave = undefined;
  hub.asked.length = 0;
  hub.sent = 0;
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assert.equal(
    hub.asked.filter((line) => line.includes("/storage/")),
    [`GET /storage/org/tiny/model.safetensors bytes=${half}-`],
  );
  assert.is(hub.sent, weights.length - half);
  assert.equal(
    readdirSync(blobsOf(home)).filter((name) => name.endsWith(".incomplete")),
    [],
  );
});

const leftovers: [string, Uint8Array][] = [
  ["wrong bytes", new Uint8Array(5000).fill(9)],
  ["more bytes than there should be", new Uint8Array(weights.length + 1)],
  ["all bytes, and wrong", new Uint8Array(weights.length)],
];
for (const [name, bytes] of leftovers) {
  test(`a download that left ${name} begins anew`, async ({ home }) => {
    mkdirSync(blobsOf(home), { recursive: true });
    writeFileSync(join(blobsOf(home), `${sha256(weights)}.siskin.incomplete`), bytes);
    assertSame(await logitsOf("org/tiny"), expectedFolder);
  });
}

test("a download that left all bytes needs no more", async ({ hub, home }) => {
  mkdirSync(blobsOf(home), { recursive: true });
  writeFileSync(join(blobsOf(home), `${sha256(weights)}.siskin.incomplete`), weights);
  assertSame(await logitsOf("org/tiny"), expectedFolder);
  assert.equal(
    filesAsked(hub).filter((line) => line.includes("safetensors")),
    [],
  );
});

test("a server without ranges sends all again", async ({ hub, home }) => {
  mkdirSync(blobsOf(home), { recursive: true });
  writeFileSync(join(blobsOf(home), `${sha256(weights)}.siskin.incomplete`), weights.subarray(0, 5000));
  hub.misbehave = (_request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/")) return false;
    response.writeHead(200, { "content-length": weights.length });
    return Boolean(response.end(weights));
  };
  assertSame(await logitsOf("org/tiny"), expectedFolder);
});

test("what is not what the Hub says is refused, and nothing of it stays", async ({ hub, home }) => {
  const altered = weights.map((byte, index) => (index === weights.length - 3 ? byte ^ 1 : byte));
  const wrong: [Uint8Array, RegExp][] = [
    [altered, /^org\/tiny\/model\.safetensors: has the SHA-256 [0-9a-f]{64}, and [0-9a-f]{64} as the Hub says$/],
    [weights.subarray(0, 5000), /^org\/tiny\/model\.safetensors: has 5000 bytes, and \d+ as the Hub says$/],
  ];
  for (const [bytes, message] of wrong) {
    hub.misbehave = (_request, response, { pathname }) => {
      if (!pathname.startsWith("/storage/")) return false;
      response.writeHead(200, { "content-length": bytes.length });
      return Boolean(response.end(bytes));
    };
    const fault = await faultOf("org/tiny");
    assert.instance(fault, FormatError, String(fault));
    assert.match(fault.message, message);
    assert.equal(
      readdirSync(blobsOf(home)).filter((name) => name.startsWith(sha256(weights))),
      [],
    );
  }
  hub.misbehave = undefined;
  assertSame(await logitsOf("org/tiny"), expectedFolder);
});

test("a Hub that says nothing, or stops in the middle, is left at once", async ({ hub }) => {
  for (const path of ["/api/", "/resolve/", "/storage/"]) {
    hub.misbehave = (_request, _response, { pathname }) => pathname.includes(path);
    const controller = new AbortController();
    setTimeout(() => controller.abort("enough"), 100);
    const started = performance.now();
    const error = await loadModel("org/tiny", { signal: controller.signal }).catch((reason) => reason);
    assert.is(error, "enough");
    assert.ok(performance.now() - started < 2000);
  }
});

test("a cache that cannot be written says so", async ({ home }) => {
  process.env.HF_HUB_CACHE = join(home, "file");
  writeFileSync(join(home, "file"), "");
  const fault = await faultOf("org/tiny@main");
  assert.instance(fault, UnsupportedError);
  assert.match(fault.message, /The cache of models cannot be used: E(NOTDIR|EXIST)/);
});

test.run();
