/** What says how a tensor's heads turn. */
import { ArgumentError, ShapeError } from "../errors.ts";
import { rotaryFrequencies } from "../rotary/frequencies.ts";
import { show } from "../show.ts";
import { checkedNumbers } from "./arguments.ts";

/** By which frequencies a head's pairs of dimensions turn. */
export type RotationOptions =
  | {
      /** Base of the frequencies theta^(-2i/headSize) (Su et al. 2021); default 10,000. All dimensions turn. */
      readonly theta?: number | undefined;
      readonly inverseFrequencies?: undefined;
    }
  | {
      /** [rotated dimensions / 2], radians a position: any scaled variant. Dimensions beyond them stay as they are. */
      readonly inverseFrequencies: ArrayLike<number>;
      readonly theta?: undefined;
    };

const DEFAULT_THETA = 10_000;

/**
 * The options of a rotation, read once.
 * @param known names that are options
 * @throws ArgumentError for what is no record, has other names, or both theta and frequencies
 */
export function checkedOptions<Options extends object>(options: Options, known: readonly string[]): Options {
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError(`Options are a record with ${known.join(", ")}, not ${show(options)}`);
  }
  const read = { ...options };
  const unknown = Object.keys(read).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new ArgumentError(`There is no option ${unknown}, only ${known.join(", ")}`);
  const { theta, inverseFrequencies } = read as RotationOptions;
  if (theta !== undefined && inverseFrequencies !== undefined) {
    throw new ArgumentError("theta and inverseFrequencies exclude one another");
  }
  return read;
}

/**
 * Radians a position for each pair of dimensions.
 * @throws ShapeError for more pairs than the head has or a head of odd size; ArgumentError for a theta that is not a
 * positive number, or frequencies that are not finite
 */
export function frequenciesOf({ theta, inverseFrequencies }: RotationOptions, headSize: number): Float32Array {
  if (inverseFrequencies === undefined) {
    const base = theta ?? DEFAULT_THETA;
    if (!(Number.isFinite(base) && base > 0)) {
      throw new ArgumentError(`theta should be a positive number and is ${show(base)}`);
    }
    if (headSize % 2 !== 0) throw new ShapeError(`A head of ${headSize} dimensions does not fall into pairs`);
    const frequencies = rotaryFrequencies({ type: "default", theta: base }, headSize).inverseFrequencies;
    if (!frequencies.every(Number.isFinite)) throw new ArgumentError(`theta is ${base}: frequencies exceed f32`);
    return frequencies;
  }
  const numbers = checkedNumbers(inverseFrequencies, "inverseFrequencies");
  if (numbers.length * 2 > headSize) {
    throw new ShapeError(`${numbers.length} frequencies turn ${numbers.length * 2} dimensions; a head has ${headSize}`);
  }
  const frequencies = Float32Array.from(numbers);
  const wrong = frequencies.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new ArgumentError(`inverseFrequencies[${wrong}] is ${frequencies[wrong]}`);
  return frequencies;
}
