/** Random values in the metadata, the configuration and the tensors of models: an error that names the fault, or a model that runs. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError, MemoryError, NumericError } from "../../src/errors.ts";
import { loadModel, type ModelSource } from "../../src/runtimes/node.ts";
import { assertSame } from "../support/assertions.ts";
import { array, type GgufValue, text, u32 } from "../support/files.ts";
import { seededRandom } from "../support/random.ts";
import { bool, f32, ggufKeys, ggufTensors, tinyFolder, tinyGguf, tinyModel, writeGguf } from "../support/tiny-model.ts";

const test = suite("damaged files");
const tokens = [72, 101, 108, 108, 111];
const tiny = tinyModel();
const random = seededRandom(17);
const below = (limit: number) => Math.floor(random() * limit);
const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;

const numbers = [0, 1, 2, 3, 15, 16, 33, 64, 2 ** 16, 2 ** 31, 2 ** 32 - 1];
const floats = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1e-30, 0.5, 3, 1e30];
const words = ["", "x", "yarn", "linear", "none", "longrope", "llama", "\ud83d\ude00".repeat(100)];
const keyNames = [
  ...Object.keys(ggufKeys(tiny)).filter((name) => !name.startsWith("tokenizer")),
  ...["scaling.type", "scaling.factor", "scaling.attn_factor", "scaling.original_context_length", "scale_linear"].map(
    (name) => `llama.rope.${name}`,
  ),
  ...[
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "expert_count",
    "logit_scale",
    "other",
  ].map((name) => `llama.${name}`),
  "split.count",
  "split.no",
];

function anyValue(depth = 2): GgufValue {
  return pick([
    () => u32(pick(numbers)),
    () => f32(pick(floats)),
    () => text(pick(words)),
    () => bool(random() < 0.5),
    () => (depth ? array(9, [anyValue(0).type === 9 ? array(4, []) : array(4, [u32(below(9))])]) : u32(7)),
    () =>
      array(
        4,
        Array.from({ length: below(4) }, () => u32(pick(numbers))),
      ),
  ])();
}

function damagedGguf(): Uint8Array {
  const keys: Record<string, GgufValue | undefined> = ggufKeys(tiny);
  const tensors = ggufTensors(tiny);
  for (let count = 1 + below(2); count > 0; count--) {
    if (random() < 0.6) keys[pick(keyNames)] = random() < 0.1 ? undefined : anyValue();
    else {
      const name = pick([...tensors.keys()]);
      const tensor = tensors.get(name)!;
      const kind = below(5);
      if (kind === 0) tensors.delete(name);
      else if (kind === 1) tensors.set(name, { ...tensor, type: pick([0, 1, 2, 8, 12, 24, 28, 30, 39]) });
      else if (kind === 2) tensors.set(name, { ...tensor, shape: [...tensor.shape].reverse() });
      else if (kind === 3) tensors.set(name, { ...tensor, bytes: tensor.bytes.map(() => below(256)) });
      else tensors.set(pick(["extra", "output.bias", "blk.0.attn_q.bias", "rope_freqs.weight"]), tensor);
    }
  }
  const file = writeGguf(keys, Object.fromEntries(tensors));
  return random() < 0.1 ? file.subarray(0, below(file.length)) : file;
}

const jsonValues: readonly unknown[] = [
  ...numbers,
  ...[-1, 0.5, 1e308, null, true, false, "x", "silu", [], {}, [1], { toString: 1 }, { type: "yarn", factor: 4 }],
  ...[{ rope_type: "linear", factor: 0 }, { rope_type: "yarn", factor: 1e-300 }, { rope_type: "longrope" }],
  JSON.parse(`${"[".repeat(1000)}${"]".repeat(1000)}`),
];
const jsonNames = [
  ...["model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"],
  ...["num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling"],
  ...["rope_parameters", "hidden_act", "tie_word_embeddings", "attention_bias", "mlp_bias", "sliding_window"],
  ...["layer_types", "quantization_config", "num_local_experts"],
];

function damagedFolder(): ModelSource {
  const changes = Array.from({ length: 1 + below(2) }, () => [pick(jsonNames), pick(jsonValues)]);
  return tinyFolder(tiny, Object.fromEntries(changes));
}

test("400 GGUF files and folders", async () => {
  const expected = await logitsOf(tinyGguf(tiny), "f32");
  const outcomes = { loaded: 0, refused: 0 };
  for (let round = 0; round < 400; round++) {
    const source = round % 2 ? damagedGguf() : damagedFolder();
    const started = performance.now();
    try {
      await logitsOf(source);
      outcomes.loaded++;
    } catch (error) {
      const typed = [FormatError, NumericError, MemoryError].some((kind) => error instanceof kind);
      // A window of few positions is a model that loads.
      assert.ok(typed || /exceed the window/.test(String(error)), String((error as Error).stack));
      assert.ok((error as Error).message.length <= 1003);
      outcomes.refused++;
    }
    assert.ok(performance.now() - started < 2000, `round ${round}`);
  }
  assert.ok(outcomes.loaded > 20 && outcomes.refused > 200, JSON.stringify(outcomes));
  assertSame(await logitsOf(tinyGguf(tiny), "f32"), expected);
});

async function logitsOf(
  source: ModelSource,
  weights = pick(["auto", "f32", "q8", "q4"] as const),
): Promise<Float32Array> {
  const model = await loadModel(source, { weights });
  try {
    return model.createSession().prefill(tokens);
  } finally {
    model.dispose();
  }
}

test.run();
