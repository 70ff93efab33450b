/** `siskin inspect`: says what a model is and what it takes. */
import process from "node:process";
import type { Command } from "commander";
import { FormatError, loadModel } from "../runtimes/node.ts";
import type { Model } from "../session/model.ts";
import { bytes, count } from "./figures.ts";
import { type ModelArguments, withModel } from "./options.ts";

interface InspectArguments extends Pick<ModelArguments, "model" | "weights"> {
  readonly json?: true;
}

/** Adds the command. @param signal stops it */
export function addInspect(program: Command, signal: AbortSignal): void {
  withModel(program.command("inspect").description("say what a model is and what it takes"))
    .option("--json", "print one JSON object")
    .action((options: InspectArguments) => inspect(options, signal));
}

async function inspect(options: InspectArguments, signal: AbortSignal): Promise<void> {
  const model = await loadModel(options.model, { weights: options.weights, signal });
  try {
    const description = describe(model);
    process.stdout.write(options.json ? `${JSON.stringify(description)}\n` : text(description));
  } finally {
    model.dispose();
  }
}

/** What --json prints. */
function describe(model: Model) {
  const { name, config, tensors, memory } = model;
  return {
    name,
    parameters: tensors.reduce((sum, { parameters }) => sum + parameters, 0),
    config,
    tensors,
    tokenizer: describeTokenizer(model),
    memory,
    /** Of one token in the cache, over all layers and heads, in f32. */
    cacheBytesPerToken: 2 * config.layers * config.kvHeads * config.headSize * 4,
  };
}

/** A model may have come without one. */
function describeTokenizer(model: Model) {
  try {
    const { vocabularySize, bosToken, eosTokens, chatTemplate } = model.tokenizer;
    return { vocabularySize, bosToken, eosTokens, chatTemplate: chatTemplate !== undefined };
  } catch (error) {
    if (error instanceof FormatError) return { missing: error.message };
    throw error;
  }
}

function text({
  name,
  parameters,
  config,
  tensors,
  tokenizer,
  memory,
  cacheBytesPerToken,
}: ReturnType<typeof describe>) {
  const { type: rotary, theta, ...scaling } = config.rotary;
  const settings = Object.entries(scaling).map(([key, value]) => `, ${key} ${value}`);
  const lines = {
    model: name,
    parameters: count(parameters),
    architecture: `${config.architecture}, ${config.layers} layers, width ${config.hiddenSize}, feed-forward ${config.intermediateSize}`,
    attention: `${config.queryHeads} query heads, ${config.kvHeads} KV heads of ${config.headSize}`,
    window: `${count(config.maxPositions)} tokens`,
    rotary: `${rotary}, theta ${theta}${settings.join("")}`,
    output: config.tiedEmbeddings ? "the embedding" : "its own matrix",
    tokenizer: tokenizerLine(tokenizer),
    tensors: tensors
      .map(({ type, form, tensors: number, byteLength }) => `${number} ${type} (${bytes(byteLength)}) held as ${form}`)
      .join("; "),
    memory: `${bytes(memory.bytesInUse)} in use after loading, at most ${bytes(memory.peakBytes)} while loading`,
    cache: `${bytes(cacheBytesPerToken)} a token`,
  };
  return Object.entries(lines)
    .map(([title, line]) => `${title.padEnd(14)}${line}\n`)
    .join("");
}

function tokenizerLine(tokenizer: ReturnType<typeof describeTokenizer>): string {
  if ("missing" in tokenizer) return `none: ${tokenizer.missing}`;
  const { vocabularySize, bosToken, eosTokens, chatTemplate } = tokenizer;
  const ends = eosTokens.length ? eosTokens.join(", ") : "none";
  return `${count(vocabularySize)} tokens, begin ${bosToken ?? "none"}, end ${ends}, ${chatTemplate ? "with" : "without"} chat template`;
}
