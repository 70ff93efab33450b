/** Names on the Hub, and which files of a repository they mean. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError } from "../../src/errors.ts";
import { chooseFiles } from "../../src/hub/choose.ts";
import { parseHubName } from "../../src/hub/name.ts";

const test = suite("names on the Hub");

const names: [string, string, string | undefined, string][] = [
  ["HuggingFaceTB/SmolLM2-360M-Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", undefined, "main"],
  ["org/name:Q4_K_M", "org/name", "Q4_K_M", "main"],
  ["org/name@v1.0", "org/name", undefined, "v1.0"],
  ["org/name:Q4_K_M@refs/pr/3", "org/name", "Q4_K_M", "refs/pr/3"],
  ["org/name@main:Q4_K_M", "org/name", "Q4_K_M", "main"],
  [`org/name@${"0a".repeat(20)}`, "org/name", undefined, "0a".repeat(20)],
  ["org/name_1.5-GGUF:UD/name-00001-of-00002.gguf", "org/name_1.5-GGUF", "UD/name-00001-of-00002.gguf", "main"],
];
for (const [text, repository, variant, revision] of names) {
  test(text, () => assert.equal(parseHubName(text), { text, repository, revision, variant }));
}

test("what is none", () => {
  const none = [
    "",
    "name",
    "a/b/c",
    "/a/b",
    "a/b/",
    "./a",
    "../a",
    "~/a",
    "a\\b",
    "a/b:",
    "a/b@",
    "a/b:x:y",
    "a/b:x@y:z",
  ];
  for (const text of [...none, "a/b@..", "a/b@/x", "a/b@x/", "a/b@x y", "a--b/c", "a/b.", "a/b.gguf", "http://a/b"]) {
    assert.is(parseHubName(text), undefined, text);
  }
});

/** The paths that a name means among these. */
function chosen(paths: readonly string[], name: string): string[] {
  const unknown = { byteLength: undefined, sha256: undefined, etag: undefined };
  const files = paths.map((path) => ({ path, ...unknown }));
  const parsed = parseHubName(name)!;
  const { companions, index, weights } = chooseFiles(
    { repository: parsed.repository, commit: "0".repeat(40), files },
    parsed,
  );
  return [...companions, ...(index ? [index] : []), ...weights].map(({ path }) => path);
}

const folder = [
  "config.json",
  "tokenizer.json",
  "tokenizer.model",
  "README.md",
  "onnx/config.json",
  "training_args.bin",
];

test("a folder: what the loader reads", () => {
  assert.equal(chosen([...folder, "model.safetensors", "m-Q4_0.gguf"], "a/b"), [
    "config.json",
    "tokenizer.json",
    "model.safetensors",
  ]);
  const templates = ["chat_template.jinja", "additional_chat_templates/rag.jinja"];
  assert.equal(chosen([...templates, "x/y.jinja", "model.safetensors"], "a/b"), [...templates, "model.safetensors"]);
  const index = "model.safetensors.index.json";
  assert.equal(chosen(["config.json", index, "model-00001-of-00002.safetensors"], "a/b"), ["config.json", index]);
});

const quantisations = ["m-F16.gguf", "m-BF16.gguf", "m.Q4_0.gguf", "m-q4_0_4_4.gguf", "m-Q4_K_S.gguf", "m-Q4_K_M.gguf"];
const variants: [string, string][] = [
  ["F16", "m-F16.gguf"],
  ["bf16", "m-BF16.gguf"],
  ["Q4_0", "m.Q4_0.gguf"],
  ["Q4_0_4_4", "m-q4_0_4_4.gguf"],
  ["q4_k_m", "m-Q4_K_M.gguf"],
  ["m-Q4_K_S.gguf", "m-Q4_K_S.gguf"],
];
for (const [variant, path] of variants) {
  test(`GGUF of ${variant}`, () => assert.equal(chosen([...quantisations, ...folder], `a/b:${variant}`), [path]));
}

test("a GGUF's parts, in their folder too, and no other model's", () => {
  const parts = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${name}-0000${index + 1}-of-0000${count}.gguf`);
  const large = parts("Q8_0/m-Q8_0", 3);
  const all = [
    ...large,
    ...parts("Q4_0/m-Q4_0", 2),
    ...quantisations.slice(0, 2),
    "mmproj-Q8_0.gguf",
    "m-Q8_0.imatrix.gguf",
  ];
  assert.equal(chosen(all.reverse(), "a/b:Q8_0"), large);
});

test("what could be several, or is none", () => {
  assert.throws(
    () => chosen(quantisations, "a/b"),
    (error: unknown) => error instanceof ArgumentError,
  );
  assert.throws(
    () => chosen(["m-Q4_0.gguf", "n-Q4_0.gguf"], "a/b:Q4_0"),
    /several GGUF files; .*: m-Q4_0\.gguf, n-Q4_0\.gguf/,
  );
  assert.throws(() => chosen(quantisations, "a/b:Q4_K"), /has no GGUF file of Q4_K; it has m-F16\.gguf/);
  assert.throws(() => chosen(quantisations, "a/b:.*"), /has no GGUF file of \.\*/);
  assert.throws(
    () => chosen([], "a/b"),
    (error: unknown) => error instanceof FormatError,
  );
});

test.run();
