/** What a family of models is to the rest: its names in files, and how it fills in the description of its layers. */
import type { RotaryConfig } from "../../rotary/frequencies.ts";
import type { Architecture, LayerDescription } from "../architecture.ts";
import type { ConfigReader } from "../config.ts";

/** What was read of a model already: what all families say alike. */
export interface Basis {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly queryHeads: number;
  readonly headSize: number;
  readonly maxPositions: number;
  /** A layer like Llama's, without biases. */
  readonly layer: LayerDescription;
}

/** What a family says beyond, or otherwise; the rest is as in Llama. */
export type Difference = Partial<Architecture>;

/** Reads config.json. */
export interface JsonReader extends ConfigReader {
  /** What a part of the configuration says of RoPE. */
  rotaryOf(parameters: Readonly<Record<string, unknown>>): RotaryConfig;
  /** The key's object; empty where the file does not say. */
  object(key: string): Readonly<Record<string, unknown>>;
}

/** Reads the metadata of a GGUF below the name of its architecture. */
export interface GgufReader extends ConfigReader {
  /** Whether there is such a tensor. */
  hasTensor(name: string): boolean;
}

/** One family. Adding one is adding its file and its line in `families/index.ts`. */
export interface Family {
  /** `model_type` in config.json. */
  readonly name: string;
  /** `general.architecture` in GGUF files, where they are this family's. */
  readonly gguf?: string;
  /** Whether llama.cpp holds the halves of this architecture's query and key heads interleaved. */
  readonly interleaved?: true;
  /** What is added to the weights of norms in Hugging Face's files, where these hold the difference to 1. */
  readonly normOffset?: 1;
  /** Other names of types of RoPE, and the ones they go by here. */
  readonly ropeTypes?: Readonly<Record<string, string>>;
  /** The values of keys that config.json leaves out, where not those of all families. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  fromJson(reader: JsonReader, basis: Basis): Difference;
  fromGguf?(reader: GgufReader, basis: Basis): Difference;
}

const layerTypes = ["full_attention", "sliding_attention"] as const;
const isLayerType = (value: unknown): value is (typeof layerTypes)[number] => layerTypes.some((type) => type === value);

/** Which layers slide, by `layer_types` in config.json; undefined where it does not say. */
export function slidingLayers(reader: ConfigReader, layers: number): readonly boolean[] | undefined {
  return reader.list("layer_types", layers, isLayerType)?.map((type) => type === "sliding_attention");
}

/** Every `period`-th layer sees everything, the others slide. */
export function everyNth(period: number): readonly boolean[] {
  return Array.from({ length: period }, (_, layer) => layer < period - 1);
}

/** The same for a GGUF: a period, or whether each layer slides. */
export function slidingInGguf(reader: GgufReader, layers: number, period: number): readonly boolean[] {
  const key = "attention.sliding_window_pattern";
  const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
  const value = reader.value(key);
  if (Array.isArray(value)) return reader.list(key, layers, isFlag)!;
  const given = reader.count(key, period);
  if (given > layers) return [true];
  return everyNth(given);
}
