/** How a page of the cache holds its entries: as f32, or in 8 bits at a quarter of the memory. */
import { type Axis, packedSizeOf, packRow, sizeOf, unpackRows } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import { turnBack } from "../rotary/rotate.ts";
import type { RotationRows } from "../rotary/rotation-rows.ts";

/** log2 of the entries in a page. */
export const PAGE_SHIFT = 5;
/** Entries of one head that a page holds: their keys, then their values. */
export const PAGE_ENTRIES = 1 << PAGE_SHIFT;

/** `f32`: keys as they are rotated; `q8`: 8 bits with a scale for each entry and 32 dimensions, keys turned when they are read. */
export type CacheForm = "f32" | "q8";

/** Keys or values of an entry. */
export type EntryPart = "keys" | "values";

/** How the kept entries' keys are turned: rotation rows of the distances 0, 1, 2, ... (0: not at all) and their pairs. */
export interface Turning {
  readonly rotations: number;
  readonly half: number;
}

/** What differs between the forms. Pages and lists are addresses in the core's memory; rows have the head's own size. */
export interface PageForm {
  readonly form: CacheForm;
  readonly headSize: number;
  readonly pageBytes: number;
  /** Moves the `count` entries of `list`, ascending, to the places 0, 1, 2, ... and turns their keys there. */
  gather(sourcePages: number, targetPages: number, list: number, count: number, turning: Turning): void;
  /** Keys as they are rotated now, or values, of a page's first entries: [rows, headSize] to `target`. */
  read(page: number, rows: number, part: EntryPart, target: Float32Array): void;
  /** Bytes that `write` needs to work in. */
  readonly writeBytes: number;
  /**
   * Writes the key as it is rotated now, or the value, of one entry: [headSize]. Takes no memory where the rotation rows
   * reach to the entry's position.
   */
  write(page: number, slot: number, part: EntryPart, row: Float32Array, scratch: number): void;
  /** Says anew at which positions the keys of a page's first entries are rotated, where the page holds that. */
  setTurns(page: number, turns: Int32Array): void;
}

/** Pages of f32: the keys of all entries, then the values. @param head how one head is held */
export function f32Pages(core: Core, head: Axis): PageForm {
  const held = packedSizeOf(head);
  const offsets = { keys: 0, values: PAGE_ENTRIES * held * 4 };
  return {
    form: "f32",
    headSize: sizeOf(head),
    pageBytes: PAGE_ENTRIES * held * 8,
    gather(sourcePages, targetPages, list, count, { rotations, half }) {
      core.kernels.gatherTurn(sourcePages, targetPages, list, count, held, half, rotations, PAGE_SHIFT);
    },
    read(page, rows, part, target) {
      unpackRows(core.f32(page + offsets[part], rows * held), target, head);
    },
    writeBytes: 0,
    write(page, slot, part, row) {
      packRow(row, core.f32(page + offsets[part] + slot * held * 4, held), head);
    },
    setTurns() {},
  };
}

/**
 * Pages of 8 bits; assembly/page-q8.ts has their layout.
 * @param head how one head is held: in whole blocks of 32 dimensions, which all turn
 * @param attentionFactor by which keys are scaled when they are turned
 */
export function q8Pages(core: Core, head: Axis, rotations: RotationRows, attentionFactor: number): PageForm {
  const held = packedSizeOf(head);
  const pageBytes = core.kernels.pageBytesQ8(held, PAGE_SHIFT);
  const rowBytes = held * 4;
  const positions = (page: number) => core.i32(page + pageBytes - PAGE_ENTRIES * 4, PAGE_ENTRIES);
  const expandedBytes = PAGE_ENTRIES * rowBytes * 2;
  /** Expands a page's first entries to `target`: keys, then values. @returns the addresses of the two */
  const expand = (page: number, rows: number, target: number): { keys: number; values: number } => {
    const last = positions(page)
      .subarray(0, rows)
      .reduce((most, position) => Math.max(most, position), 0);
    core.kernels.expandQ8(page, target, rows, held, PAGE_SHIFT, rotations.fromZero(last + 1), attentionFactor);
    return { keys: target, values: target + PAGE_ENTRIES * rowBytes };
  };
  return {
    form: "q8",
    headSize: sizeOf(head),
    pageBytes,
    gather(sourcePages, targetPages, list, count, turning) {
      core.kernels.gatherQ8(sourcePages, targetPages, list, count, held, PAGE_SHIFT, Number(turning.rotations !== 0));
    },
    read(page, rows, part, target) {
      core.borrow({ expanded: expandedBytes }, ({ expanded }) => {
        unpackRows(core.f32(expand(page, rows, expanded)[part], rows * held), target, head);
      });
    },
    writeBytes: expandedBytes,
    write(page, slot, part, row, scratch) {
      const position = positions(page)[slot]!;
      const { keys, values } = expand(page, slot + 1, scratch);
      const key = core.f32(keys + slot * rowBytes, held);
      const value = core.f32(values + slot * rowBytes, held);
      packRow(row, part === "keys" ? key : value, head);
      const turn = core.f32(rotations.fromZero(position + 1) + position * rowBytes, held);
      turnBack(key, turn, attentionFactor);
      core.kernels.writeEntryQ8(page, slot, key.byteOffset, value.byteOffset, position, held, PAGE_SHIFT);
    },
    setTurns(page, turns) {
      positions(page).set(turns);
    },
  };
}
