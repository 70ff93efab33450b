/** Models whose files are damaged: GGUF and safetensors, configuration, tokenizer. */
import { loadModel, type Model, type ModelSource } from "../../src/runtimes/node.ts";
import { array, choppedStream, type GgufValue } from "../support/files.ts";
import type { Dice } from "../support/random.ts";
import {
  ggufKeys,
  ggufTensors,
  type RawTensor,
  tinyFolder,
  tinyGguf,
  tinyModel,
  writeGguf,
} from "../support/tiny-model.ts";
import { mangleBytes, mangleJson, oddJsonText, oddNumber, oddText } from "./mangle.ts";

const model = tinyModel({ width: 16, feedForward: 16, headSize: 8, vocabulary: 260 });
const gguf = tinyGguf(model);
const folder = tinyFolder(model);
const template =
  "{{ bos_token }}{% for message in messages %}{{ message['role'] + ': ' + message['content'] | trim }}{% endfor %}{% if add_generation_prompt %}A:{% endif %}";

/** Loads a model and, if it loads, does with it what a user would. */
async function use(source: ModelSource): Promise<void> {
  const loaded: Model = await loadModel(source);
  try {
    const session = loaded.createSession();
    session.prefill(loaded.tokenizer.encode("the and in").subarray(0, 20));
    session.decode(1);
    for await (const _ of session.ask("who?", { maxTokens: 2 }));
    loaded.openSession(session.save()).dispose();
  } finally {
    loaded.dispose();
  }
}

/** The same bytes from another kind of source. */
function sourceOf(bytes: Uint8Array<ArrayBuffer>, dice: Dice): ModelSource {
  const kind = dice.whole(0, 9);
  if (kind < 6) return bytes;
  if (kind < 7) return new Blob([bytes]);
  if (kind < 8) return { "m.gguf": bytes };
  return choppedStream(bytes, 3000, dice.next);
}

/** GGUF files with damaged bytes, metadata that says something else, and tensors that are not what they should be. */
export async function ggufFiles(dice: Dice): Promise<void> {
  if (dice.chance(0.4)) return use(sourceOf(mangleBytes(gguf, dice, 12_000), dice));
  const keys: Record<string, GgufValue | undefined> = { ...ggufKeys(model) };
  const tensors: Record<string, RawTensor | undefined> = Object.fromEntries(ggufTensors(model));
  for (let i = dice.whole(1, 3); i > 0; i--) {
    if (dice.chance(0.7)) {
      const key = dice.chance(0.8) ? dice.pick(Object.keys(keys)) : dice.pick(EXTRA_KEYS);
      keys[key] = dice.chance(0.1) ? undefined : oddValue(dice);
    } else {
      const name = dice.pick(Object.keys(tensors));
      const tensor = tensors[name];
      if (!tensor || dice.chance(0.2)) tensors[name] = undefined;
      else if (dice.chance(0.3)) tensors[dice.pick(EXTRA_TENSORS)] = tensor;
      else {
        const shape = dice.chance(0.5)
          ? [...tensor.shape].reverse()
          : tensor.shape.map((size) => (dice.chance(0.4) ? Math.max(0, Math.trunc(oddNumber(dice))) : size));
        tensors[name] = {
          ...tensor,
          shape: shape.map((size) => Math.min(size, 2 ** 40)),
          type: dice.chance(0.5) ? dice.whole(0, 45) : tensor.type,
        };
      }
    }
  }
  return use(sourceOf(writeGguf(keys, tensors), dice));
}

const EXTRA_KEYS = [
  "llama.rope.scaling.type",
  "llama.rope.scaling.factor",
  "llama.rope.scale_linear",
  "llama.rope.dimension_count",
  "llama.expert_count",
  "llama.attention.sliding_window",
  "llama.attention.key_length",
  "llama.vocab_size",
  "llama.unheard_of",
  "general.alignment",
  "split.count",
  "split.no",
  "tokenizer.chat_template",
  "tokenizer.ggml.scores",
  "tokenizer.ggml.add_bos_token",
  "tokenizer.ggml.eot_token_id",
];
const EXTRA_TENSORS = [
  "rope_freqs.weight",
  "blk.0.attn_q.bias",
  "blk.0.attn_q_norm.weight",
  "blk.7.ffn_up.weight",
  "unheard.of",
  "output.weight",
];

/** A GGUF value of any type, its number or text an odd one. */
function oddValue(dice: Dice): GgufValue {
  const type = dice.whole(0, 12);
  if (type === 9) {
    const items = Array.from({ length: dice.whole(0, 300) }, () => undefined);
    const inner = dice.pick([4, 5, 8, 10, 9]);
    const value = oddOf(inner, dice);
    return array(
      inner,
      items.map(() => value),
      dice.chance(0.1) ? 2 ** 40 : undefined,
    );
  }
  return oddOf(type, dice);
}

function oddOf(type: number, dice: Dice): GgufValue {
  const widths = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
  return {
    type,
    write(writer) {
      if (type === 8) writer.text(oddText(dice));
      else if (type === 9) writer.u32(4).u64(0);
      else if (type === 6) writer.bytes.push(...new Uint8Array(Float32Array.of(oddNumber(dice, false)).buffer));
      else if (type === 12) writer.bytes.push(...new Uint8Array(Float64Array.of(oddNumber(dice, false)).buffer));
      else {
        const bits = BigInt.asUintN(64, BigInt(Math.trunc(Math.min(oddNumber(dice), 2 ** 60))));
        writer.bytes.push(...new Uint8Array(BigUint64Array.of(bits).buffer).subarray(0, widths[type]));
      }
    },
  };
}

/** Folders in which a configuration, an index or the header of a safetensors file says something else. */
export async function folders(dice: Dice): Promise<void> {
  const files: Record<string, Uint8Array<ArrayBuffer>> = { ...folder };
  for (let i = dice.whole(1, 2); i > 0; i--) {
    switch (dice.whole(0, 7)) {
      case 0:
      case 1:
        files["config.json"] = oddJsonText(
          mangleJson(
            {
              ...jsonOf("config.json"),
              rope_scaling: { rope_type: "yarn", factor: 2, original_max_position_embeddings: 100 },
            },
            dice,
          ),
          dice,
        );
        break;
      case 2:
        files["generation_config.json"] = oddJsonText(
          mangleJson({ bos_token_id: 1, eos_token_id: [1, 2] }, dice),
          dice,
        );
        break;
      case 3:
        files["tokenizer_config.json"] = oddJsonText(
          mangleJson({ ...jsonOf("tokenizer_config.json"), chat_template: template, add_bos_token: true }, dice),
          dice,
        );
        break;
      case 4:
        files["special_tokens_map.json"] = oddJsonText(
          mangleJson({ bos_token: { content: "<|end|>" }, eos_token: "<|end|>" }, dice),
          dice,
        );
        break;
      case 5:
        files["model.safetensors"] = mangleBytes(
          files["model.safetensors"] ?? folder["model.safetensors"]!,
          dice,
          3000,
        );
        break;
      case 6:
        files["model.safetensors"] = oddHeader(dice);
        break;
      default:
        files["model.safetensors.index.json"] = oddJsonText(
          mangleJson({ weight_map: { "model.norm.weight": "a.safetensors" } }, dice),
          dice,
        );
        files["a.safetensors"] = folder["model.safetensors"]!;
        delete files["model.safetensors"];
    }
  }
  return use(files);
}

function jsonOf(name: string): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(folder[name]!));
}

/** The safetensors file with a header that has been changed as JSON. */
function oddHeader(dice: Dice): Uint8Array<ArrayBuffer> {
  const file = folder["model.safetensors"]!;
  const length = new DataView(file.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const text = oddJsonText(mangleJson(header, dice), dice);
  const changed = new Uint8Array(8 + text.length + file.length - 8 - length);
  new DataView(changed.buffer).setUint32(0, text.length, true);
  changed.set(text, 8);
  changed.set(file.subarray(8 + length), 8 + text.length);
  return changed;
}

const STEPS = [
  () => ({ type: "ByteLevel", add_prefix_space: false, use_regex: true }),
  () => ({ type: "Digits", individual_digits: true }),
  () => ({ type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true }),
  () => ({ type: "Punctuation", behavior: "Isolated" }),
  () => ({ type: "Whitespace" }),
  (dice: Dice) => ({
    type: "Split",
    pattern: { Regex: oddPattern(dice) },
    behavior: dice.pick(["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]),
    invert: dice.chance(0.2),
  }),
  (dice: Dice) => ({ type: "Split", pattern: { String: oddText(dice) }, behavior: "Isolated", invert: false }),
];
const NORMALIZERS = [
  () => ({ type: "NFC" }),
  () => ({ type: "Lowercase" }),
  () => ({ type: "Strip", strip_left: true, strip_right: true }),
  () => ({ type: "Prepend", prepend: "▁" }),
  (dice: Dice) => ({
    type: "Replace",
    pattern: { String: oddText(dice).slice(0, 9) },
    content: oddText(dice).slice(0, 300),
  }),
  (dice: Dice) => ({ type: "Replace", pattern: { Regex: oddPattern(dice) }, content: "x" }),
];

/** A regular expression of the kinds that tokenizers have, and of those that take for ever. */
function oddPattern(dice: Dice, depth = 3): string {
  const atom = () =>
    dice.pick([
      "a",
      ".",
      "\\s",
      "\\S",
      "\\p{L}",
      "\\p{N}",
      "[^\\r\\n\\p{L}]",
      "[a-z]",
      "(?i:'s|'t)",
      "\\w",
      "^",
      "$",
      "\\b",
      "é",
      " ",
      "(?!\\S)",
      "(?=a)",
      "[",
      "\\p{Nope}",
      "(?<=a)",
      "\\1",
    ]);
  if (depth === 0) return atom();
  switch (dice.whole(0, 5)) {
    case 0:
      return `${oddPattern(dice, depth - 1)}|${oddPattern(dice, depth - 1)}`;
    case 1:
      return `(${oddPattern(dice, depth - 1)})${dice.pick(["*", "+", "?", "{1,3}", "{2,}", "*+", "++", "*?", "{1000000}"])}`;
    case 2:
      return `(?:${oddPattern(dice, depth - 1)})${dice.pick(["*", "+", ""])}`;
    default:
      return oddPattern(dice, depth - 1) + oddPattern(dice, depth - 1);
  }
}

/** Tokenizers with odd steps, normalizers, vocabularies and patterns, asked to encode odd texts. */
export async function tokenizers(dice: Dice): Promise<void> {
  const base = jsonOf("tokenizer.json");
  const steps = Array.from({ length: dice.whole(0, 3) }, () => dice.pick(STEPS)(dice));
  const normalizers = Array.from({ length: dice.whole(0, 2) }, () => dice.pick(NORMALIZERS)(dice));
  const json: unknown = {
    ...base,
    normalizer: normalizers.length > 0 ? { type: "Sequence", normalizers } : null,
    pre_tokenizer: steps.length > 0 ? { type: "Sequence", pretokenizers: steps } : base.pre_tokenizer,
  };
  const files = { ...folder, "tokenizer.json": oddJsonText(dice.chance(0.5) ? mangleJson(json, dice) : json, dice) };
  const loaded = await loadModel(files);
  try {
    for (const text of ["the ab  cd", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", oddText(dice), oddText(dice)]) {
      const ids = loaded.tokenizer.encode(text, { special: dice.chance(0.5) });
      loaded.tokenizer.decode(ids);
    }
    await loaded.createSession().read(oddText(dice).slice(0, 300), { budget: 20, chunkLength: 20, questions: "a?" });
  } finally {
    loaded.dispose();
  }
}
