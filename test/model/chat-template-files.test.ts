/** Chat templates beside a model: which files are read, and what a model does whose template cannot frame a document. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError } from "../../src/errors.ts";
import { loadModel, type Model } from "../../src/runtimes/node.ts";
import { drawnModel } from "../support/drawn-model.ts";

const encoded = (text: string) => new TextEncoder().encode(text);
const config = (changes: object) =>
  encoded(JSON.stringify({ bos_token: "<|begin|>", eos_token: "<|end|>", ...changes }));
const [begin, end, user, assistant] = [260, 261, 262, 263];
const small = { budget: 64, chunkLength: 64, questions: "q" } as const;
const usual = "{{ bos_token }}{% for m in messages %}<|user|>{{ m.content }}{% endfor %}<|model|>";

/** Loads the drawn model with files replaced or added, and disposes of it. */
async function using(files: Record<string, Uint8Array>, use: (model: Model) => unknown): Promise<void> {
  const model = await loadModel({ ...drawnModel(), ...files });
  try {
    await use(model);
  } finally {
    model.dispose();
  }
}

const templates = {
  "tokenizer_config.json": config({ chat_template: "not this" }),
  "chat_template.jinja": encoded(`${usual}\n`),
  "additional_chat_templates/tool_use.jinja": encoded("tools"),
  "additional_chat_templates/notes.txt": encoded("not this"),
};

function hasAll(model: Model) {
  const template = model.tokenizer.chatTemplate!;
  assert.equal(template.names, ["default", "tool_use"]);
  assert.is(template.render([{ role: "user", content: "x" }], { tools: [] }), "tools");
  assert.equal([...model.frame.head], [begin, user]);
  assert.equal([...model.frame.tail], [assistant]);
}

test("templates in files of their own, of a record", () => using(templates, hasAll));

test("templates in files of their own, of a folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "siskin-"));
  try {
    mkdirSync(join(folder, "additional_chat_templates"));
    for (const [name, bytes] of Object.entries({ ...drawnModel(), ...templates }))
      writeFileSync(join(folder, name), bytes);
    const model = await loadModel(folder);
    hasAll(model);
    model.dispose();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("templates in files of their own, of a server that gives a page for what is missing", async () => {
  const files: Record<string, Uint8Array> = { ...drawnModel(), ...templates };
  const server = createServer((request, response) => {
    const file = files[decodeURIComponent(request.url!).slice("/m/".length)];
    if (file) response.end(file);
    else response.end("<!DOCTYPE html><title>Not here</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const model = await loadModel(`http://127.0.0.1:${(server.address() as AddressInfo).port}/m`);
    hasAll(model);
    model.dispose();
  } finally {
    server.close();
  }
});

test("special_tokens_map.json", () =>
  using(
    {
      "tokenizer_config.json": encoded("{}"),
      "special_tokens_map.json": encoded(JSON.stringify({ bos_token: "<|user|>", eos_token: "<|model|>" })),
    },
    (model) => {
      assert.is(model.tokenizer.bosToken, user);
      assert.equal(model.tokenizer.eosTokens, [assistant]);
      assert.equal([...model.frame.head], [user]);
    },
  ));

test("add_bos_token: false", () =>
  using({ "tokenizer_config.json": config({ add_bos_token: false }) }, async (model) => {
    assert.equal([...model.frame.head], []);
    const session = model.createSession();
    await session.read("Ab", small);
    assert.is(session.absolutePosition, 2);
    for await (const _ of model.createSession().generate("Ab", { maxTokens: 1 }));
    assert.equal(model.tokenizer.eosTokens, [end]);
  }));

/** Templates that cannot frame a document, and what asking says of them. */
const unusable: Record<string, [template: unknown, kind: typeof ArgumentError | typeof FormatError, fault: RegExp]> = {
  "a system message is wanted": [
    "{% if messages[0]['role'] != 'system' %}{{ raise_exception('a system message comes first') }}{% endif %}",
    ArgumentError,
    /^a system message comes first$/,
  ],
  "content is read as parts": [
    "{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}",
    FormatError,
    /does not write a user's message as it is/,
  ],
  empty: ["", FormatError, /does not write a user's message as it is/],
  "a list without a default": [[{ name: "rag", template: usual }], FormatError, /no default chat template, only "rag"/],
  "not a text": [5, FormatError, /should be a text and is 5/],
  "not Jinja": ["{% if %}", FormatError, /cannot be parsed/],
  "without end": [
    "{% set r = range(99999) %}{% for i in r %}{% for j in r %}{% endfor %}{% endfor %}",
    FormatError,
    /takes more than \d+ steps/,
  ],
};

for (const [name, [template, kind, fault]] of Object.entries(unusable))
  test(`only what needs the template fails: ${name}`, () =>
    using({ "tokenizer_config.json": config({ chat_template: template }) }, async (model) => {
      const isFault = (error: unknown) => error instanceof kind && fault.test(error.message);
      const rejects = async (work: () => Promise<unknown>) => {
        try {
          await work();
        } catch (error) {
          assert.ok(isFault(error), String(error));
          return;
        }
        assert.unreachable();
      };
      const asked = async (session: ReturnType<Model["createSession"]>) => {
        for await (const _ of session.ask("q?", { maxTokens: 1 }));
      };
      assert.throws(() => model.frame, isFault);

      const session = model.createSession();
      session.prefill([65, 66, 67]);
      session.decode(68);
      for await (const _ of session.generate("Ab", { maxTokens: 1 }));
      const reading = model.createSession();
      await rejects(() => reading.read("A text", small));
      await rejects(() => asked(reading));
      assert.is(reading.absolutePosition, 0);
      // Tokens are read behind the begin token, as by a model without a template.
      await reading.read([65, 66, 67], small);
      assert.is(reading.absolutePosition, 4);
      await rejects(() => asked(reading));

      // A capsule belongs to the model all the same.
      assert.match(model.fingerprint, /^[0-9a-f]{16}$/);
      model.openSession(reading.save()).dispose();
    }));

test("the fingerprint has the frame in it", async () => {
  const prints = new Set<string>();
  for (const chat_template of [usual, "", usual.replace("<|user|>", "<|user|><|user|>")])
    await using({ "tokenizer_config.json": config({ chat_template }) }, (model) => prints.add(model.fingerprint));
  assert.is(prints.size, 3);
});

test.run();
