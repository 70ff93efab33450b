/** Merging on eviction: what is dropped is blended into what stays. */
import { ArgumentError } from "../../errors.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { type Checked, part } from "../settings.ts";
import { selectEntries } from "../tools/choose.ts";
import { pickRows, range, rowNorms } from "../tools/vectors.ts";

export type MergingOptions = OptionsOf<typeof merging>;

const TINY = 1e-6;

const options = {
  /** Cosine of two keys below which an evicted entry is not merged. */
  similarityThreshold: part(0),
  /** The part of the evicted entries, the most similar ones, that are merged. */
  mergeFraction: part(1),
};
type Settled = Checked<typeof options>;

/** An evicted entry's value is blended into that of the survivor whose key is most like its own. */
export const merging = defineWrapper({
  name: "merging",
  paper:
    "Merging on eviction, after Token Merging (Bolya et al., ICLR 2023, arXiv 2210.09461) and D2O (Wan et al. 2024, arXiv 2406.13035)",
  options,
  check: ({ mergeFraction }) => {
    if (mergeFraction === 0) throw new ArgumentError("mergeFraction of merging should be above 0 and is 0");
  },
  select: (layer, inner, settings, target) => {
    const { kept } = selectEntries(inner, layer, target);
    return { kept, values: kept.map((list, head) => mergedValues(layer, head, list, settings)) };
  },
});

function mergedValues(
  entries: LayerEntries,
  head: number,
  kept: Int32Array,
  { similarityThreshold, mergeFraction }: Settled,
): Float32Array {
  const { headSize } = entries;
  const survivors = new Set(kept);
  const evicted = range(0, entries.length(head)).filter((entry) => !survivors.has(entry));
  const keys = directions(entries.keys(head), headSize);
  const values = entries.values(head);
  const result = pickRows(values, headSize, kept);
  if (evicted.length === 0 || kept.length === 0) return result;
  const products = entries.multiply(pickRows(keys, headSize, evicted), pickRows(keys, headSize, kept), headSize);
  const nearest = evicted.map((_, row) =>
    indexOfLargest(products.subarray(row * kept.length, (row + 1) * kept.length)),
  );
  const similarities = nearest.map((target, row) => row * kept.length + target);
  const cosines = Float32Array.from(similarities, (index) => products[index]!);
  const least = mergeFraction < 1 ? gate(cosines, similarityThreshold, mergeFraction) : Number.NEGATIVE_INFINITY;
  const norms = rowNorms(values, headSize);
  const weights = new Float64Array(kept.length);
  const sums = new Float64Array(kept.length * headSize);
  for (const [row, entry] of evicted.entries()) {
    const cosine = cosines[row]!;
    if (cosine < similarityThreshold || !(cosine >= least)) continue;
    const target = nearest[row]!;
    const weight = (Math.max(0, cosine) * norms[entry]!) / (norms[entry]! + norms[kept[target]!]! + TINY);
    weights[target]! += weight;
    for (let i = 0; i < headSize; i++) sums[target * headSize + i]! += weight * values[entry * headSize + i]!;
  }
  return result.map((value, i) => (value + sums[i]!) / (1 + weights[Math.floor(i / headSize)]!));
}

/** The similarity that the best `mergeFraction` reach: a quantile, between two values in proportion. */
function gate(cosines: Float32Array, similarityThreshold: number, mergeFraction: number): number {
  const sorted = cosines.map((cosine) => (cosine < similarityThreshold ? Number.NEGATIVE_INFINITY : cosine)).sort();
  const place = (1 - mergeFraction) * (sorted.length - 1);
  const below = sorted[Math.floor(place)]!;
  const part = place - Math.floor(place);
  return part === 0 ? below : below + part * (sorted[Math.ceil(place)]! - below);
}

function directions(rows: Float32Array, width: number): Float32Array {
  const norms = rowNorms(rows, width);
  return rows.map((value, i) => value / Math.max(norms[Math.floor(i / width)]!, TINY));
}

function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
