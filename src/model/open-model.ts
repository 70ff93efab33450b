/** Reads what a model's files say: configuration, tokenizer and tensors, out of a GGUF or out of a folder. */
import { FormatError } from "../errors.ts";
import { type FolderSet, readText } from "../formats/file-set.ts";
import { openGguf } from "../formats/gguf.ts";
import type { Siblings } from "../formats/gguf-parts.ts";
import { openSafetensorsIndex } from "../formats/safetensors.ts";
import type { ByteSource } from "../formats/source.ts";
import { closingOnError } from "../formats/tensor-file.ts";
import { isWebPage, readChatTemplates } from "../tokenizer/template-files.ts";
import { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { OpenModel } from "./build.ts";
import { configFromGguf } from "./config-gguf.ts";
import { configFromJson } from "./config-json.ts";
import { biasesAmong } from "./tensors.ts";

/** What a GGUF's key has that says that there is no vocabulary, beside being absent. */
const noVocabulary: readonly unknown[] = ["none", "no_vocab"];

/**
 * A model in a GGUF.
 *
 * @param source becomes the model's: closed with its tensors, and when this throws
 * @param siblings where the other parts lie, if the file is the first of several
 * @throws FormatError naming the file's fault
 */
export async function openGgufModel(source: ByteSource, siblings?: Siblings): Promise<OpenModel> {
  if (source.name.endsWith(".safetensors")) {
    await source.close();
    throw new FormatError(source.name, "needs the config.json beside it: give its folder, or all the files by name");
  }
  const tensors = await openGguf(source, siblings);
  return closingOnError([tensors], async () => {
    const lookup = (key: string) => tensors.metadata.get(key);
    const names = new Set(tensors.tensors.map(({ name }) => name));
    const embedding = tensors.tensors.find(({ name }) => name === "token_embd.weight");
    if (!embedding) throw new FormatError(source.name, "the tensor token_embd.weight is missing");
    const rows = embedding.shape[0] ?? 1;
    const tokens = lookup("tokenizer.ggml.tokens");
    if (Array.isArray(tokens) && tokens.length !== rows) {
      throw new FormatError(source.name, `has ${tokens.length} tokens for the ${rows} rows of token_embd.weight`);
    }
    const config = configFromGguf(tensors.metadata, source.name, {
      vocabularySize: rows,
      tiedEmbeddings: !names.has("output.weight"),
      ...biasesAmong(names),
    });
    return { name: source.name, config, tokenizer: ggufTokenizer(lookup, source.name), tensors, naming: "gguf" };
  });
}

/** @throws FormatError for a vocabulary that is there and cannot be used */
function ggufTokenizer(lookup: (key: string) => unknown, file: string): Tokenizer | FormatError {
  const kind = lookup("tokenizer.ggml.model");
  const missing = kind === undefined && lookup("tokenizer.ggml.tokens") === undefined;
  if (!missing && !noVocabulary.includes(kind)) return Tokenizer.fromGguf(lookup, file);
  return new FormatError(file, "has no tokenizer: the keys of tokenizer.ggml are missing");
}

/**
 * A model in a folder of Hugging Face's layout.
 *
 * @param name of the folder, for errors
 * @throws FormatError naming the file and its fault
 */
export async function openFolderModel(files: FolderSet, name: string): Promise<OpenModel> {
  const read = async (file: string): Promise<Record<string, unknown> | undefined> => {
    const text = await readText(files, file);
    return text === undefined || isWebPage(text) ? undefined : parseObject(text, file);
  };
  const [configJson, tokenizerJson, generationConfig, tokenizerConfig, specialTokensMap] = await Promise.all(
    ["config", "tokenizer", "generation_config", "tokenizer_config", "special_tokens_map"].map((stem) =>
      read(`${stem}.json`),
    ),
  );
  if (!configJson) throw new FormatError(name, `has no config.json${await othersIn(files)}`);
  const config = configFromJson(configJson, "config.json");
  const chatTemplates = await readChatTemplates(files);
  const special = { config: configJson, generationConfig, tokenizerConfig, specialTokensMap, chatTemplates };
  const tokenizer = tokenizerJson
    ? Tokenizer.fromJson(tokenizerJson, special, "tokenizer.json")
    : new FormatError(
        name,
        `has no tokenizer: tokenizer.json is missing${await othersIn(files, /^tokenizer\.model$/)}`,
      );
  return { name, config, tokenizer, tensors: await openSafetensorsIndex(files), naming: "huggingFace" };
}

/** What a folder has instead of what is missing, as the end of a sentence. */
async function othersIn(files: FolderSet, wanted = /./): Promise<string> {
  const names = (await files.names())?.filter((name) => wanted.test(name));
  if (!names) return "";
  const shown = names.slice(0, 6).join(", ") + (names.length > 6 ? ", ..." : "");
  return names.length > 0 ? ` (there is ${shown})` : wanted.source === "." ? " (it is empty)" : "";
}

function parseObject(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(file, `is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(file, "should hold a JSON object");
  }
  return value as Record<string, unknown>;
}
