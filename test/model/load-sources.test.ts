/** A model from whatever a user has it in; each kind gives the same logits, and what is no model is refused by what it is. */
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DirectoryHandle, FileHandle } from "../../src/formats/given.ts";
import { ArgumentError, FormatError, loadModel, type ModelSource, UnsupportedError } from "../../src/runtimes/node.ts";
import { assertSame } from "../support/assertions.ts";
import { ggufParts, shardedFolder } from "../support/split-models.ts";
import { tinyFolder, tinyGguf, tinyModel } from "../support/tiny-model.ts";

const test = suite("sources of a model");
const tokens = [72, 101, 108, 108, 111];
const tiny = tinyModel();
const gguf = tinyGguf(tiny);
const parts = ggufParts(tiny);
const folder = tinyFolder(tiny);
const shards = shardedFolder(tiny);

async function logitsOf(source: ModelSource): Promise<Float32Array> {
  const model = await loadModel(source);
  try {
    return model.createSession().prefill(tokens);
  } finally {
    model.dispose();
  }
}

async function faultOf(source: unknown): Promise<Error> {
  return loadModel(source as ModelSource).then(
    () => assert.unreachable("it loads") as never,
    (error) => error,
  );
}

const expected = await logitsOf(gguf);
const expectedFolder = await logitsOf(folder);

/** A web stream as Safari has it. */
function withoutIterator(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  const stream = new Blob([bytes]).stream();
  Object.defineProperty(stream, Symbol.asyncIterator, { value: undefined });
  return stream;
}

/** Node's file, without what only lib `dom` says of it. */
const fileOf = (name: string, bytes: Uint8Array<ArrayBuffer>) => new File([bytes], name);

/** What a page gets for a file or a folder that the user chose; a path in `files` is one below it. */
function fileHandle(name: string, bytes: Uint8Array<ArrayBuffer>): FileHandle {
  return { kind: "file", name, getFile: async () => fileOf(name, bytes) };
}

function directoryHandle(name: string, files: Record<string, Uint8Array<ArrayBuffer>>): DirectoryHandle {
  const fail = (kind: string) => Promise.reject(Object.assign(new Error("not here"), { name: kind }));
  const inside = (folder: string) =>
    Object.entries(files).flatMap(([path, bytes]) =>
      path.startsWith(`${folder}/`) ? [[path.slice(folder.length + 1), bytes] as const] : [],
    );
  return {
    kind: "directory",
    name,
    keys: async function* () {
      yield* new Set(Object.keys(files).map((path) => path.split("/")[0]!));
    },
    getFileHandle: (file) => (files[file] ? Promise.resolve(fileHandle(file, files[file])) : fail("NotFoundError")),
    getDirectoryHandle: (folder) =>
      inside(folder).length
        ? Promise.resolve(directoryHandle(folder, Object.fromEntries(inside(folder))))
        : fail(files[folder] ? "TypeMismatchError" : "NotFoundError"),
  };
}

/** Values made by the classes of another realm. */
const realm = createContext({ length: gguf.length });
runInContext("bytes = new Uint8Array(length); buffer = bytes.buffer; record = {}; list = [];", realm);
(realm.bytes as Uint8Array).set(gguf);
Object.assign(realm.record as object, { "model.gguf": realm.bytes });

const files = (record: Record<string, Uint8Array<ArrayBuffer>>) =>
  Object.entries(record).map(([name, bytes]) => fileOf(name, bytes));
/** As `<input type=file webkitdirectory>` gives them. */
const filesOfFolder = (record: Record<string, Uint8Array<ArrayBuffer>>) =>
  files(record).map((file) => Object.defineProperty(file, "webkitRelativePath", { value: `chosen/${file.name}` }));
/** A FileList is no array. */
const fileList = (list: File[]) =>
  Object.assign(Object.create({ [Symbol.toStringTag]: "FileList", item: (index: number) => list[index] }), list, {
    length: list.length,
  }) as ModelSource;

const single: [string, () => ModelSource][] = [
  ["an ArrayBuffer", () => gguf.slice().buffer],
  ["a SharedArrayBuffer", () => shared() as never],
  ["Node's Buffer", () => Buffer.from(gguf)],
  ["bytes of another realm", () => realm.bytes],
  ["a buffer of another realm", () => realm.buffer],
  ["a record of another realm", () => realm.record],
  ["a Blob", () => new Blob([gguf])],
  ["a File", () => fileOf("tiny.gguf", gguf)],
  ["a web stream", () => new Blob([gguf]).stream()],
  ["a web stream without an iterator", () => withoutIterator(gguf)],
  ["a stream of Node's", () => Readable.from([gguf.slice(0, 100), gguf.slice(100)])],
  ["a Response", () => new Response(gguf, { headers: { "content-length": String(gguf.length) } })],
  ["a file's handle", () => fileHandle("tiny.gguf", gguf)],
  ["a list of one file", () => fileList(files({ "tiny.gguf": gguf }))],
  ["an array of one file's handle", () => [fileHandle("tiny.gguf", gguf)]],
  ["a record of a Response", () => ({ "tiny.gguf": new Response(gguf) })],
  ["a record of a stream of Node's", () => ({ "tiny.gguf": Readable.from([gguf]) })],
  ["a record of a handle", () => ({ "tiny.gguf": fileHandle("tiny.gguf", gguf) })],
  ["a folder's handle with a GGUF", () => directoryHandle("chosen", { "tiny.gguf": gguf, "notes.txt": gguf })],
];

for (const [name, source] of single) {
  test(name, async () => assertSame(await logitsOf(source()), expected));
}

function shared(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(gguf.length);
  new Uint8Array(buffer).set(gguf);
  return buffer;
}

const several: [string, (files: Record<string, Uint8Array<ArrayBuffer>>) => ModelSource][] = [
  ["a record of bytes", (record) => record],
  ["a FileList", (record) => fileList(files(record))],
  ["an array of files", (record) => files(record)],
  ["a chosen folder's files", (record) => filesOfFolder(record)],
  ["an array of handles", (record) => Object.entries(record).map(([name, bytes]) => fileHandle(name, bytes))],
  ["a folder's handle", (record) => directoryHandle("chosen", record)],
  [
    "a record of streams of Node's",
    (record) => Object.fromEntries(Object.entries(record).map(([name, bytes]) => [name, Readable.from([bytes])])),
  ],
  [
    "a record of Responses",
    (record) => Object.fromEntries(Object.entries(record).map(([name, bytes]) => [name, new Response(bytes)])),
  ],
];

for (const [name, source] of several) {
  test(`${name}: a folder, shards and parts alike`, async () => {
    assertSame(await logitsOf(source(folder)), expectedFolder);
    assertSame(await logitsOf(source(shards)), expectedFolder);
    assertSame(await logitsOf(source(parts)), expected);
  });
}

test("paths: a folder, shards, parts, a GGUF by whatever name, a stream of a file", async () => {
  const root = mkdtempSync(join(tmpdir(), "siskin-"));
  const write = (name: string, record: Record<string, Uint8Array>) => {
    mkdirSync(join(root, name));
    for (const [file, bytes] of Object.entries(record)) writeFileSync(join(root, name, file), bytes);
    return join(root, name);
  };
  try {
    for (const [name, record] of Object.entries({ folder, shards })) {
      assertSame(await logitsOf(write(name, record)), expectedFolder);
      assertSame(await logitsOf(pathToFileURL(join(root, name))), expectedFolder);
    }
    assertSame(await logitsOf(write("parts", parts)), expected);
    const blob = join(write("blobs", { "sha256-5f3a": gguf }), "sha256-5f3a");
    assertSame(await logitsOf(blob), expected);
    assertSame(await logitsOf(createReadStream(blob)), expected);

    writeFileSync(join(root, "b.txt"), "no model");
    mkdirSync(join(root, "empty"));
    const wrong: [string, RegExp][] = [
      [join(root, "nowhere"), /nowhere: there is no such file or folder$/],
      [join(root, "nowhere", "m.gguf"), /m\.gguf: there is no such file$/],
      [join(root, "b.txt", "m.gguf"), /m\.gguf: there is no such file$/],
      [join(root, "b.txt"), /^b\.txt: is not a GGUF file/],
      [join(root, "empty"), /empty: has no config\.json \(it is empty\)$/],
      [root, /siskin-\w+: has no config\.json \(there is b\.txt, .*shards\)$/],
      [join(root, "folder", "model.safetensors"), /^model\.safetensors: needs the config\.json beside it/],
    ];
    for (const [path, message] of wrong) assert.match((await faultOf(path)).message, message);
    writeFileSync(join(root, "parts", "other.gguf"), gguf);
    assert.match((await faultOf(join(root, "blobs", "..", "empty"))).message, /has no config\.json/);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("a file keeps its name in errors", async () => {
  const damaged = gguf.slice(0, 5000);
  const named: [unknown, RegExp][] = [
    [fileOf("my model.gguf", damaged), /^my model\.gguf: /],
    [fileHandle("chosen.gguf", damaged), /^chosen\.gguf: /],
    [[fileOf("one.gguf", damaged)], /^one\.gguf: /],
    [fileOf("model.safetensors", folder["model.safetensors"]!), /^model\.safetensors: needs the config\.json/],
    [Object.defineProperty(new Response(damaged), "url", { value: "http://host/x.gguf" }), /^http:\/\/host\/x\.gguf: /],
    [new Blob([damaged]), /^model\.gguf: /],
  ];
  for (const [source, message] of named) {
    const fault = await faultOf(source);
    assert.instance(fault, FormatError, String(fault));
    assert.match(fault.message, message);
  }
});

test("what is no model is refused by what it is", async () => {
  const handle = await open("package.json");
  const used = new Response(gguf);
  await used.arrayBuffer();
  const destroyed = new PassThrough();
  destroyed.destroy();
  const locked = new Blob([gguf]).stream();
  locked.getReader();
  class Store {}
  const wrong: [unknown, new (...words: never[]) => Error, RegExp][] = [
    [handle, ArgumentError, /and not a FileHandle$/],
    [new Store(), ArgumentError, /and not a Store$/],
    [new Request("http://host/m.gguf"), ArgumentError, /and not a Request$/],
    [new Date(0), ArgumentError, /and not a Date$/],
    [Promise.resolve(gguf), ArgumentError, /and not a Promise$/],
    [new DataView(gguf.buffer), ArgumentError, /and not a DataView of \d+ bytes$/],
    [[new Blob([gguf])], ArgumentError, /and not \[a Blob\]$/],
    [fileList([]), ArgumentError, /The list of files is empty/],
    [[fileOf("a.json", gguf), fileOf("a.json", gguf)], ArgumentError, /Two files are called a\.json/],
    [used, ArgumentError, /the response has been read already/],
    [
      new Response("gone", { status: 404, statusText: "Not Found" }),
      UnsupportedError,
      /the server answered 404 Not Found/,
    ],
    [destroyed, ArgumentError, /the stream has ended already/],
    [locked, ArgumentError, /being read by somebody else/],
    [Readable.from(["text"]), FormatError, /a stream of something else than bytes/],
    [{ "a.gguf": new Store() }, ArgumentError, /a\.gguf: a file is a Blob, .* and not a Store$/],
    [{ "a.gguf": "model" }, ArgumentError, /a\.gguf: "model" is not a URL$/],
    [[fileOf("notes.txt", gguf)], FormatError, /^model: has no config\.json \(there is notes\.txt\)$/],
    ["", UnsupportedError, /there is no such file or folder/],
  ];
  for (const [source, kind, message] of wrong) {
    const fault = await faultOf(source);
    assert.match(fault.message, message);
    assert.instance(fault, kind, String(fault));
  }
  await handle.close();
});

test("a stream of Node's that fails, and one that is short", async () => {
  const failing = Readable.from(
    (async function* () {
      yield gguf.slice(0, 5000);
      throw new Error("the disk is gone");
    })(),
  );
  const fault = await faultOf(failing);
  assert.instance(fault, UnsupportedError);
  assert.match(fault.message, /model\.gguf: the connection was lost at byte 5000/);
  assert.match((await faultOf(Readable.from([gguf.slice(0, 5000)]))).message, /ends early/);
});

test("a stream of Node's that stalls ends with the signal, and is destroyed", async () => {
  const stalled = new PassThrough();
  stalled.write(gguf.slice(0, 3000));
  const controller = new AbortController();
  setTimeout(() => controller.abort("enough"), 30);
  const error = await loadModel(stalled, { signal: controller.signal }).catch((reason) => reason);
  assert.is(error, "enough");
  assert.ok(stalled.destroyed);
});

test.run();
