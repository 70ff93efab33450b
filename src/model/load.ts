/** Loads a model from wherever it lies: a folder, a GGUF file, a URL, a Blob, bytes, a stream, or a record of files. */
import { Core } from "../core/core.ts";
import { bestFlavour, type Flavour } from "../core/module.ts";
import { type StartWorker, Team } from "../core/team.ts";
import { ArgumentError, FormatError, RuntimeError } from "../errors.ts";
import { dataSource, type FileData, type FileSet, readText, recordFiles, urlFiles } from "../formats/file-set.ts";
import { openGguf } from "../formats/gguf.ts";
import { openSafetensorsIndex } from "../formats/safetensors.ts";
import type { ByteSource } from "../formats/source.ts";
import type { TensorEntry, TensorFile } from "../formats/tensor-file.ts";
import { isWebPage, readChatTemplates } from "../tokenizer/template-files.ts";
import { Tokenizer } from "../tokenizer/tokenizer.ts";
import { configFromGguf, configFromJson, type ModelConfig } from "./config.ts";
import { Decoder } from "./decoder.ts";
import { checkLoadOptions, type LoadOptions, threadsFor } from "./load-options.ts";
import { Model } from "./model.ts";
import { type PackJob, packTensors } from "./pack-tensors.ts";
import { rotaryFrequencies } from "./rotary.ts";
import { canonicalName, hasInterleavedRows } from "./tensor-names.ts";
import { summariseTensors } from "./tensor-summary.ts";
import { arrangeWeights, expectedTensors, freeTensors, type WeightForm } from "./weights.ts";

/** Where a model lies. A string or URL that ends in .gguf is that file, any other a folder; bare data is a GGUF file. */
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
    folder(path: string): FileSet;
    file(path: string): Promise<ByteSource | undefined>;
  };
}

/** What the files of a model come down to. */
interface OpenModel {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly tensors: TensorFile;
  /** Whether q and k rows stand in llama.cpp's order. */
  readonly interleaved: boolean;
}

/** `loadModel` for a runtime. */
export function createLoadModel(platform: Platform) {
  /**
   * Loads a model.
   * @throws ArgumentError for a source or an option that cannot be, FormatError naming the file's fault, RuntimeError
   * when it cannot be reached, MemoryError; what the signal gives when aborted. Nothing stays allocated then.
   */
  return async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
    checkLoadOptions(options);
    const threads = threadsFor(options, platform.threads?.available());
    const module = options.core ?? (await platform.loadCore(bestFlavour(threads > 1)));
    const opened = await openModel(source, options, platform);
    try {
      const core = new Core(module, threads > 1);
      const scratchBytes = core.kernels.scratchBytes(opened.config.headSize);
      const team = await Team.start(core, module, threads, scratchBytes, platform.threads?.start);
      return await build(opened, core, team, options).catch((error) => {
        team.dispose();
        throw error;
      });
    } finally {
      await opened.tensors.close();
    }
  };
}

async function build(opened: OpenModel, core: Core, team: Team, options: LoadOptions): Promise<Model> {
  const { name, config, tokenizer, tensors, interleaved } = opened;
  const entries = new Map(tensors.tensors.map((entry) => [canonicalName(entry.name), entry]));
  checkTensors(entries, config, name);
  const wanted = new Set([...expectedTensors(config).keys(), "rope_freqs.weight"]);
  const jobs: PackJob[] = [...entries]
    .filter(([tensor]) => wanted.has(tensor))
    .map(([tensor, entry]) => ({
      name: tensor,
      entry,
      interleavedHeadSize: interleaved && hasInterleavedRows(tensor) ? config.headSize : 0,
    }));
  const bytesTotal = jobs.reduce((sum, { entry }) => sum + entry.byteLength, 0);
  const before = core.bytesInUse;
  const packed = await packTensors(core, jobs, {
    formOf: (entry) => formOf(entry, options.weights ?? "auto"),
    onBytes: (bytesRead) => options.onProgress?.({ bytesRead, bytesTotal }),
    signal: options.signal,
  });
  try {
    const factors = packed.vectors.get("rope_freqs.weight");
    const frequencies = rotaryFrequencies(
      config.rotary,
      config.headSize,
      factors === undefined ? undefined : core.f32(factors, config.headSize / 2),
    );
    const weights = arrangeWeights(config, packed);
    return new Model({
      name,
      core,
      team,
      config,
      tensors: summariseTensors(jobs, packed),
      tokenizer,
      decoder: new Decoder(core, team, config, weights, frequencies),
      weights,
      weightBytes: core.bytesInUse - before,
    });
  } catch (error) {
    freeTensors(core, packed);
    throw error;
  }
}

/** Exactness first: floats stay floats, 4-bit blocks with a scale and a minimum stay 4 bits, everything else fits 8. */
function formOf(entry: TensorEntry, wanted: WeightForm | "auto"): WeightForm {
  if (wanted !== "auto") return wanted;
  if (entry.type === "F32" || entry.type === "F16" || entry.type === "BF16") return "f32";
  return entry.type === "Q4_0" || entry.type === "Q4_1" || entry.type === "Q4_K" ? "q4" : "q8";
}

function checkTensors(entries: ReadonlyMap<string, TensorEntry>, config: ModelConfig, file: string): void {
  for (const [name, shape] of expectedTensors(config)) {
    const entry = entries.get(name);
    if (!entry) throw new FormatError(file, `the tensor ${name} is missing`);
    if (entry.shape.join() !== shape.join()) {
      throw new FormatError(
        file,
        `${entry.name} should have the shape [${shape}] and has [${entry.shape}]`,
        entry.byteOffset,
      );
    }
  }
}

async function openModel(source: ModelSource, options: LoadOptions, platform: Platform): Promise<OpenModel> {
  const fetching = { signal: options.signal };
  if (typeof source === "string" || source instanceof URL) {
    const url = asUrl(source);
    if (url && url.protocol !== "file:") {
      if (url.pathname.endsWith(".gguf")) return openGgufModel(await dataSource(url.href, url, fetching));
      return openFolder(urlFiles(url, fetching), url.href);
    }
    if (!platform.files)
      throw new RuntimeError(`${source}: this runtime has no file system; give a URL, bytes or a stream`);
    const path = url ? decodeURIComponent(url.pathname) : String(source);
    if (!path.endsWith(".gguf")) return openFolder(platform.files.folder(path), path);
    const file = await platform.files.file(path);
    if (!file) throw new RuntimeError(`${path}: there is no such file`);
    return openGgufModel(file);
  }
  if (
    source instanceof Blob ||
    source instanceof Uint8Array ||
    source instanceof ArrayBuffer ||
    source instanceof ReadableStream
  ) {
    return openGgufModel(await dataSource("model.gguf", source, fetching));
  }
  if (typeof source !== "object" || source === null) {
    throw new ArgumentError("A model is a path, a URL, a Blob, bytes, a stream, or a record of files");
  }
  const gguf = Object.keys(source).find((name) => name.endsWith(".gguf"));
  if (gguf) return openGgufModel(await dataSource(gguf, source[gguf]!, fetching));
  return openFolder(recordFiles(source, fetching), "model");
}

/** A URL with a scheme; "C:\\models" has none. */
function asUrl(source: string | URL): URL | undefined {
  if (source instanceof URL) return source;
  return /^[a-z][a-z0-9+.-]+:/i.test(source) ? new URL(source) : undefined;
}

async function openGgufModel(source: ByteSource): Promise<OpenModel> {
  const tensors = await openGguf(source);
  try {
    const lookup = (key: string) => tensors.metadata.get(key);
    const embedding = tensors.tensors.find(({ name }) => name === "token_embd.weight");
    if (!embedding) throw new FormatError(source.name, "the tensor token_embd.weight is missing");
    const tied = !tensors.tensors.some(({ name }) => name === "output.weight");
    return {
      name: source.name,
      config: configFromGguf(lookup, source.name, embedding.shape[0]!, tied),
      tokenizer: Tokenizer.fromGguf(lookup, source.name),
      tensors,
      interleaved: true,
    };
  } catch (error) {
    await tensors.close();
    throw error;
  }
}

async function openFolder(files: FileSet, name: string): Promise<OpenModel> {
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
  return { name, config, tokenizer, tensors: await openSafetensorsIndex(files), interleaved: false };
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
