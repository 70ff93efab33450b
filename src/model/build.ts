/** Builds an engine out of its opened files: packs the weights and puts decoder and tokenizer around them. */
import { isPadded } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import type { Team } from "../core/team.ts";
import { FormatError } from "../errors.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { type RotaryFrequencies, rotaryFrequencies } from "../rotary/frequencies.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ModelConfig } from "./config.ts";
import { Decoder } from "./decoder.ts";
import { Engine } from "./engine.ts";
import type { LoadOptions } from "./load-options.ts";
import { type PackJob, packTensors } from "./pack-tensors.ts";
import { summariseTensors } from "./tensor-summary.ts";
import type { Naming } from "./tensors.ts";
import {
  arrangeWeights,
  freeTensors,
  type Matrix,
  type ModelWeights,
  matrixBytes,
  type WeightForm,
} from "./weights.ts";

/** What the files of a model come down to. */
export interface OpenModel {
  readonly name: string;
  readonly config: ModelConfig;
  /** Or what is missing for one. */
  readonly tokenizer: Tokenizer | FormatError;
  readonly tensors: TensorFile;
  readonly naming: Naming;
}

/**
 * @param jobs the tensors, in the order of the file
 * @throws FormatError when the file ends early; MemoryError; what the signal gives when aborted. Nothing stays allocated then
 */
export async function buildEngine(
  { name, config, tokenizer }: OpenModel,
  jobs: readonly PackJob[],
  core: Core,
  team: Team,
  options: LoadOptions,
): Promise<Engine> {
  const bytesTotal = jobs.reduce((sum, { entry }) => sum + entry.byteLength, 0);
  const before = core.bytesInUse;
  const packed = await packTensors(core, jobs, {
    formOf: (job) => formOf(job, options.weights ?? "auto"),
    onBytes: (bytesRead) => options.onProgress?.({ stage: "load", bytesRead, bytesTotal }),
    signal: options.signal,
  });
  try {
    const arranged = arrangeWeights(config.layers, packed);
    const frequencies = frequenciesOf(core, config, arranged, name);
    const weights = tied(core, config, arranged);
    const actual = { ...config, tiedEmbeddings: weights.output === weights.embedding };
    return new Engine({
      name,
      core,
      team,
      config: actual,
      tensors: summariseTensors(jobs, packed),
      tokenizer,
      decoder: new Decoder(core, team, actual, weights, frequencies),
      weights,
      weightBytes: core.bytesInUse - before,
    });
  } catch (error) {
    freeTensors(core, packed);
    throw error;
  }
}

/**
 * Exactness first: floats stay floats, 4-bit blocks with a scale and a minimum stay 4 bits where they can stay as they
 * are, everything else fits 8.
 */
function formOf({ entry, columns }: PackJob, wanted: WeightForm | "auto"): WeightForm {
  if (wanted !== "auto") return wanted;
  if (["F32", "F16", "BF16", "F64"].includes(entry.type)) return "f32";
  const fourBits = ["Q4_0", "Q4_1", "Q4_K"].includes(entry.type) && !(columns && isPadded(columns));
  return fourBits ? "q4" : "q8";
}

/** @throws FormatError for constants at which a head would turn by infinite or unknown angles */
function frequenciesOf(core: Core, config: ModelConfig, weights: ModelWeights, file: string): RotaryFrequencies {
  const { rotaryFactors: factors } = weights;
  const frequencies = rotaryFrequencies(
    config.rotary,
    config.headSize,
    factors && core.f32(factors.pointer, factors.length),
  );
  if (!frequencies.inverseFrequencies.every(Number.isFinite)) {
    throw new FormatError(file, "its constants of RoPE give frequencies that are not finite");
  }
  return frequencies;
}

/**
 * Frees an output layer that is a copy of the embedding, where the configuration says that the two are one; one that
 * differs counts all the same, as in transformers.
 */
function tied(core: Core, { tiedEmbeddings }: ModelConfig, weights: ModelWeights): ModelWeights {
  const { embedding, output } = weights;
  if (!tiedEmbeddings || output === embedding || !isCopy(core, embedding, output)) return weights;
  core.free(output.pointer);
  return { ...weights, output: embedding };
}

function isCopy(core: Core, one: Matrix, other: Matrix): boolean {
  if (one.form !== other.form || one.wide !== other.wide) return false;
  const words = matrixBytes(one, one.rows) / 4;
  const [ours, theirs] = [core.i32(one.pointer, words), core.i32(other.pointer, words)];
  return ours.every((word, index) => word === theirs[index]);
}
