/** How a model's own files say that its answers should be drawn: generation_config.json, and the keys of a GGUF that llama.cpp reads. */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";

/** Settings of sampling that hold where a caller gives none. */
export interface GenerationDefaults {
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly typicalP?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
}

type Range = (value: number) => boolean;
const isFraction: Range = (value) => value >= 0 && value <= 1;
const isPart: Range = (value) => value > 0 && value <= 1;
const isFactor: Range = (value) => value > 0 && Number.isFinite(value);
const isTemperature: Range = (value) => value >= 0 && Number.isFinite(value);
const isCount: Range = (value) => value >= 0 && Number.isInteger(value);

/**
 * @param json generation_config.json, where there is one. Without `do_sample` nothing is drawn and only the repetition penalty counts, as
 * in transformers; with it temperature is 1 and top-k 50 where they are not said.
 * @throws FormatError for a value that cannot be
 */
export function generationDefaults(json: Readonly<Record<string, unknown>> = {}, file: string): GenerationDefaults {
  const read = (key: string, isIn: Range) => checked(json[key], key, file, isIn);
  const drawn = {
    temperature: read("temperature", isTemperature) ?? 1,
    // 0 stands for no limit.
    topK: (read("top_k", isCount) ?? 50) || undefined,
    topP: read("top_p", isPart),
    minP: read("min_p", isFraction),
    typicalP: read("typical_p", isPart),
  };
  const repetitionPenalty = read("repetition_penalty", isFactor);
  const draws = json.do_sample ?? false;
  if (typeof draws !== "boolean" && draws !== null)
    throw new FormatError(file, `do_sample should be a boolean and is ${show(draws)}`);
  return draws === true ? { ...drawn, repetitionPenalty } : { repetitionPenalty };
}

/**
 * The same of a GGUF, under `general.sampling`; where it says no temperature the likeliest token is taken.
 * @throws FormatError for a value that cannot be
 */
export function ggufGenerationDefaults(metadata: (key: string) => unknown, file: string): GenerationDefaults {
  const read = (key: string, isIn: Range) => {
    const name = `general.sampling.${key}`;
    return checked(metadata(name), name, file, isIn);
  };
  const topK = read("top_k", (value) => Number.isInteger(value));
  return {
    temperature: read("temp", isTemperature),
    topK: topK !== undefined && topK > 0 ? topK : undefined,
    topP: read("top_p", isPart),
    minP: read("min_p", isFraction),
    repetitionPenalty: read("penalty_repeat", isFactor),
  };
}

function checked(value: unknown, key: string, file: string, isIn: Range): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !isIn(number)) throw new FormatError(file, `${key} cannot be ${show(value)}`);
  return number;
}
