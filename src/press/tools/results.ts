/** Checks of what a press gives back, before anything of it is written to a cache. */
import { ArgumentError, NumericError } from "../../errors.ts";
import type { LayerEntries, LayerSelection, ModelEntries } from "../press.ts";

/**
 * A press's scores of one layer: for each KV head as many finite numbers as it holds entries.
 * @param press the press's name, for errors
 * @throws ArgumentError for lists that are not that; NumericError for a score that is NaN or infinite
 */
export function checkedScores(press: string, entries: LayerEntries, scores: unknown): Float32Array[] {
  return lists(press, "scores", entries, scores).map((list, head) => {
    const length = entries.length(head);
    if (!isNumbers(list) || list.length !== length) {
      throw new ArgumentError(
        `The ${press} press should give ${length} scores for ${place(entries, head)} and gives ${shown(list)}`,
      );
    }
    const result = Float32Array.from(list);
    for (const [index, score] of result.entries()) {
      if (!Number.isFinite(score)) {
        throw new NumericError(
          `The ${press} press gave the score ${list[index]} to entry ${index} of ${place(entries, head)}`,
        );
      }
    }
    return result;
  });
}

/**
 * What a press keeps of one layer: for each KV head indices that ascend strictly and lie within the head, and new content
 * of as many finite rows.
 * @throws ArgumentError, NumericError as `checkedScores`
 */
export function checkedSelection(press: string, entries: LayerEntries, selection: unknown): LayerSelection {
  const { kept, keys, values } = (selection ?? {}) as Partial<LayerSelection>;
  const indices = lists(press, "kept entries", entries, kept).map((list, head) => {
    if (!isNumbers(list)) {
      throw new ArgumentError(
        `The ${press} press should give indices of entries for ${place(entries, head)} and gives ${shown(list)}`,
      );
    }
    let previous = -1;
    for (const index of list) {
      if (!Number.isInteger(index) || index <= previous || index >= entries.length(head)) {
        throw new ArgumentError(
          `The ${press} press should keep entries of ${place(entries, head)} that ascend below ${entries.length(head)}; ${index} follows ${previous}`,
        );
      }
      previous = index;
    }
    return list instanceof Int32Array ? list : Int32Array.from(list);
  });
  const content = (name: string, given: unknown) =>
    given === undefined ? undefined : checkedContent(press, name, entries, indices, given);
  return { kept: indices, keys: content("keys", keys), values: content("values", values) };
}

/** One selection for each layer. @throws ArgumentError, NumericError as `checkedScores` */
export function checkedSelections(press: string, entries: ModelEntries, selections: unknown): LayerSelection[] {
  if (!Array.isArray(selections) || selections.length !== entries.layers.length) {
    throw new ArgumentError(
      `The ${press} press should give one selection for each of ${entries.layers.length} layers and gives ${shown(selections)}`,
    );
  }
  return entries.layers.map((layer, index) => checkedSelection(press, layer, selections[index]));
}

function checkedContent(
  press: string,
  name: string,
  entries: LayerEntries,
  kept: readonly Int32Array[],
  given: unknown,
): Float32Array[] {
  return lists(press, `new ${name}`, entries, given).map((rows, head) => {
    const length = kept[head]!.length * entries.headSize;
    if (!(rows instanceof Float32Array) || rows.length !== length) {
      throw new ArgumentError(
        `The ${press} press should give new ${name} of ${kept[head]!.length} rows of ${entries.headSize} f32 for ${place(entries, head)} and gives ${shown(rows)}`,
      );
    }
    if (!rows.every(Number.isFinite)) {
      throw new NumericError(
        `The ${press} press gave new ${name} for ${place(entries, head)} that are NaN or infinite`,
      );
    }
    return rows;
  });
}

/** One item for each KV head. */
function lists(press: string, what: string, { layer, kvHeads }: LayerEntries, given: unknown): readonly unknown[] {
  if (Array.isArray(given) && given.length === kvHeads) return given;
  throw new ArgumentError(
    `The ${press} press should give ${what} for each of ${kvHeads} KV heads of layer ${layer} and gives ${shown(given)}`,
  );
}

function isNumbers(list: unknown): list is Float32Array | Int32Array | number[] {
  if (Array.isArray(list)) return list.every((item) => typeof item === "number");
  return (
    ArrayBuffer.isView(list) &&
    !(list instanceof DataView) &&
    !(list instanceof BigInt64Array) &&
    !(list instanceof BigUint64Array)
  );
}

function place({ layer }: LayerEntries, head: number): string {
  return `layer ${layer}, head ${head}`;
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `${(value as Float32Array).length} in a ${value.constructor.name}`;
  return `a ${typeof value}`;
}
