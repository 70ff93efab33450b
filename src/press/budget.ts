/** How many entries survive: an absolute number, or the part removed. */
import { ArgumentError } from "../errors.ts";

/** Entries to keep in every head, or the part of them to remove (kvpress's `compression_ratio`, from 0 to below 1). */
export type Budget =
  | { readonly budget: number; readonly ratio?: undefined }
  | { readonly ratio: number; readonly budget?: undefined };

/**
 * Entries that a head of `length` keeps.
 * @throws ArgumentError for a budget that is not a positive whole number or a ratio outside [0, 1)
 */
export function entriesToKeep(length: number, { budget, ratio }: Budget): number {
  if (budget !== undefined) {
    if (!Number.isInteger(budget) || budget < 1) {
      throw new ArgumentError(`budget should be a positive whole number of entries and is ${budget}`);
    }
    return Math.min(budget, length);
  }
  if (!(ratio >= 0 && ratio < 1)) throw new ArgumentError(`ratio should be in [0, 1) and is ${ratio}`);
  return Math.max(1, Math.trunc(length * (1 - ratio)));
}
