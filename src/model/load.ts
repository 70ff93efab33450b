/** Loads a model from wherever it lies: a folder, a GGUF file, a URL, a Blob, bytes, a stream, or a record of files. */
import { packedSizeOf } from "../core/axis.ts";
import { Core } from "../core/core.ts";
import { bestFlavour, type Flavour } from "../core/module.ts";
import { type StartWorker, Team } from "../core/team.ts";
import { ArgumentError, FormatError, UnsupportedError } from "../errors.ts";
import { abortableFiles, abortableFolder, abortableSource, unlessAborted } from "../formats/abort.ts";
import { fetchSource } from "../formats/fetch-source.ts";
import { dataSource, type FileData, type FolderSet, readText, recordFiles, urlFiles } from "../formats/file-set.ts";
import { openGguf } from "../formats/gguf.ts";
import type { Siblings } from "../formats/gguf-parts.ts";
import { openSafetensorsIndex } from "../formats/safetensors.ts";
import type { ByteSource } from "../formats/source.ts";
import { show } from "../show.ts";
import { isWebPage, readChatTemplates } from "../tokenizer/template-files.ts";
import { Tokenizer } from "../tokenizer/tokenizer.ts";
import { buildEngine, type OpenModel } from "./build.ts";
import { configFromGguf } from "./config-gguf.ts";
import { configFromJson } from "./config-json.ts";
import type { Engine } from "./engine.ts";
import { generationDefaults, ggufGenerationDefaults } from "./generation-config.ts";
import { layoutOf } from "./layout.ts";
import { checkLoadOptions, type LoadOptions, threadsFor } from "./load-options.ts";
import { matchTensors } from "./match-tensors.ts";
import { biasesAmong } from "./tensors.ts";

/**
 * Where a model lies. A string or URL that ends in .gguf is that file, of a model in parts the first one; any other is a
 * folder, and bare data a GGUF file.
 */
export type ModelSource = FileData | Readonly<Record<string, FileData>>;

/** What differs from runtime to runtime. */
export interface Platform {
  /** The compiled core. */
  loadCore(flavour: Flavour): Promise<WebAssembly.Module>;
  /** Worker threads, where there are any. */
  readonly threads?: {
    /** How many run at once. */
    available(): number;
    readonly start: StartWorker;
  };
  /** Files by path, where there is a file system. */
  readonly files?: {
    folder(path: string): FolderSet;
    file(path: string): Promise<ByteSource | undefined>;
    /** What lies beside a file. */
    siblings(path: string): Siblings;
  };
}

/** Loads engines on a runtime. */
export function createLoadEngine(platform: Platform) {
  return async function loadEngine(source: ModelSource, options: LoadOptions): Promise<Engine> {
    checkLoadOptions(options);
    const { signal } = options;
    const threads = threadsFor(options, platform.threads?.available());
    const loading = options.core ? Promise.resolve(options.core) : platform.loadCore(bestFlavour(threads > 1));
    const module = await unlessAborted(loading, signal, () => {});
    const opened = await openModel(source, signal, platform);
    try {
      const layout = layoutOf(opened.config);
      // Nothing is allocated for sizes that no tensor bears out.
      const jobs = matchTensors(opened.tensors, opened.config, layout, opened.naming, opened.name);
      const core = new Core(module, threads > 1);
      const scratchBytes = core.kernels.scratchBytes(packedSizeOf(layout.head));
      const starting = Team.start(core, module, threads, scratchBytes, platform.threads?.start);
      const team = await unlessAborted(starting, signal, (late) => late.dispose());
      return await buildEngine(opened, jobs, core, team, options).catch((error) => {
        team.dispose();
        throw error;
      });
    } finally {
      await opened.tensors.close();
    }
  };
}

async function openModel(source: ModelSource, signal: AbortSignal | undefined, platform: Platform): Promise<OpenModel> {
  const abortable = (files: FolderSet) => abortableFolder(files, signal);
  const open = async (name: string, data: FileData) => {
    return unlessAborted(dataSource(name, data, { signal }), signal, (late) => void late.close());
  };
  const openFile = (file: ByteSource, siblings?: Siblings) => {
    return openGgufModel(
      abortableSource(file, signal),
      siblings && { ...abortableFiles(siblings, signal), name: siblings.name },
    );
  };
  if (typeof source === "string" || source instanceof URL) {
    const url = asUrl(source);
    if (url && url.protocol !== "file:") {
      // What is no path can only be the file itself.
      const isFile = url.pathname.endsWith(".gguf") || url.protocol === "blob:" || url.protocol === "data:";
      if (isFile) return openFile(await open(url.href, url), urlSiblings(url, signal));
      return openFolder(abortable(urlFiles(url, { signal })), url.href);
    }
    if (!platform.files)
      throw new UnsupportedError(`${source}: this runtime has no file system; give a URL, bytes or a stream`);
    const path = url ? pathOf(url) : String(source);
    if (!path.endsWith(".gguf")) return openFolder(abortable(platform.files.folder(path)), path);
    const file = await unlessAborted(platform.files.file(path), signal, (late) => void late?.close());
    if (!file) throw new UnsupportedError(`${path}: there is no such file`);
    return openFile(file, platform.files.siblings(path));
  }
  if (
    source instanceof Blob ||
    source instanceof Uint8Array ||
    source instanceof ArrayBuffer ||
    source instanceof ReadableStream
  ) {
    return openFile(await open("model.gguf", source));
  }
  if (Object.prototype.toString.call(source) !== "[object Object]") {
    throw new ArgumentError(
      `A model is a path, a URL, a Blob, bytes, a stream, or a record of files, and not ${show(source)}`,
    );
  }
  const name = ggufIn(source);
  if (name === undefined) return openFolder(abortable(recordFiles(source, { signal })), "model");
  return openFile(await open(name, source[name]!), {
    name,
    open: async (other) => (Object.hasOwn(source, other) ? dataSource(other, source[other]!, { signal }) : undefined),
  });
}

/** The GGUF file in a record, or the first of its parts. @throws ArgumentError when there are several */
function ggufIn(files: Readonly<Record<string, FileData>>): string | undefined {
  const names = Object.keys(files).filter((name) => name.endsWith(".gguf"));
  const firsts = names.length > 1 ? names.filter((name) => /-00001-of-\d{5}\.gguf$/.test(name)) : names;
  if (firsts.length === 1 || names.length === 0) return firsts[0];
  throw new ArgumentError(`There are several GGUF files, which should be one or the parts of one: ${names.join(", ")}`);
}

/** What lies beside a file behind a URL; its query holds for them too. */
function urlSiblings(url: URL, signal: AbortSignal | undefined): Siblings {
  const folder = url.pathname.slice(0, url.pathname.lastIndexOf("/") + 1);
  return {
    name: url.pathname.slice(folder.length),
    open(name) {
      const sibling = new URL(url);
      sibling.pathname = folder + name;
      return fetchSource(sibling.href, { signal });
    },
  };
}

/** A URL with a scheme; "C:\\models" has none. @throws ArgumentError for a scheme with nothing sensible behind it */
function asUrl(source: string | URL): URL | undefined {
  if (source instanceof URL) return source;
  if (!/^[a-z][a-z0-9+.-]+:/i.test(source)) return undefined;
  try {
    return new URL(source);
  } catch (cause) {
    throw new ArgumentError(`${show(source)} is not a URL`, { cause });
  }
}

function pathOf(url: URL): string {
  try {
    return decodeURIComponent(url.pathname);
  } catch (cause) {
    throw new ArgumentError(`${show(url.href)} is not the URL of a file`, { cause });
  }
}

async function openGgufModel(source: ByteSource, siblings?: Siblings): Promise<OpenModel> {
  const tensors = await openGguf(source, siblings);
  try {
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
    return {
      name: source.name,
      config,
      tokenizer: Tokenizer.fromGguf(lookup, source.name),
      generationDefaults: ggufGenerationDefaults(lookup, source.name),
      tensors,
      naming: "gguf",
    };
  } catch (error) {
    await tensors.close();
    throw error;
  }
}

async function openFolder(files: FolderSet, name: string): Promise<OpenModel> {
  const read = async (file: string): Promise<Record<string, unknown> | undefined> => {
    const text = await readText(files, file);
    return text === undefined || isWebPage(text) ? undefined : parseObject(text, file);
  };
  const [configJson, tokenizerJson, generationConfig, tokenizerConfig, specialTokensMap] = await Promise.all(
    ["config", "tokenizer", "generation_config", "tokenizer_config", "special_tokens_map"].map((stem) =>
      read(`${stem}.json`),
    ),
  );
  const chatTemplates = await readChatTemplates(files);
  if (!configJson) throw new FormatError(name, "has no config.json");
  if (!tokenizerJson) throw new FormatError(name, "has no tokenizer.json");
  const config = configFromJson(configJson, "config.json");
  const tokenizer = Tokenizer.fromJson(
    tokenizerJson,
    { config: configJson, generationConfig, tokenizerConfig, specialTokensMap, chatTemplates },
    "tokenizer.json",
  );
  const defaults = generationDefaults(generationConfig, "generation_config.json");
  const tensors = await openSafetensorsIndex(files);
  return { name, config, tokenizer, generationDefaults: defaults, tensors, naming: "huggingFace" };
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
