/** How a page of the cache holds its entries: as f32, or in 8 bits at a quarter of the memory. */
import { type Axis, packedSizeOf, packRow, sizeOf, unpackRows } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import type { Turning } from "../rotary/rotary.ts";
import { turnBack } from "../rotary/rotate.ts";

/** log2 of the entries in a page. */
export const PAGE_SHIFT = 5;
/** Entries of one head that a page holds: their keys, then their values. */
export const PAGE_ENTRIES = 1 << PAGE_SHIFT;

/** `f32`: keys as they are rotated; `q8`: 8 bits with a scale for each entry and 32 dimensions, keys turned when they are read. */
export type CacheForm = "f32" | "q8";

/** Keys or values of an entry. */
export type EntryPart = "keys" | "values";

/** How the keys of entries that are kept come to stand at the places 0, 1, 2, ... */
export interface Renumbering {
  /** Rotation rows of the distances 0, 1, 2, ...; 0: nothing turns; undefined: the places stay what they were. */
  readonly rotations: number | undefined;
  /** Pairs of dimensions in a row. */
  readonly half: number;
  /** The place of the first entry. */
  readonly first: number;
}

/** Places stay. */
export const noRenumbering: Renumbering = { rotations: undefined, half: 0, first: 0 };

/** What differs between the forms. Pages and lists are addresses in the core's memory; rows have the head's own size. */
export interface PageForm {
  readonly form: CacheForm;
  readonly headSize: number;
  readonly pageBytes: number;
  /** Moves the `count` entries of `list`, ascending, to the places 0, 1, 2, ... and turns their keys there. */
  gather(sourcePages: number, targetPages: number, list: number, count: number, renumbering: Renumbering): void;
  /** Keys as they are rotated now, or values, of a page's first entries: [rows, headSize] to `target`. */
  read(page: number, rows: number, part: EntryPart, target: Float32Array, turning: Turning): void;
  /** Bytes that `write` needs to work in. */
  readonly writeBytes: number;
  /**
   * Writes the key as it is rotated now, or the value, of one entry: [headSize]. Takes no memory where the rotation rows
   * reach to the entry's position.
   */
  write(page: number, slot: number, part: EntryPart, row: Float32Array, scratch: number, turning: Turning): void;
  /** Says anew at which positions the keys of a page's first entries are rotated, where the page holds that. */
  setTurns(page: number, turns: Int32Array): void;
}

/** How the key and the value of one head are held; both take the same room. */
export interface HeadAxes {
  readonly keys: Axis;
  readonly values: Axis;
}

/** Pages of f32: the keys of all entries, then the values. */
export function f32Pages(core: Core, axes: HeadAxes): PageForm {
  const held = packedSizeOf(axes.keys);
  const offsets = { keys: 0, values: PAGE_ENTRIES * held * 4 };
  return {
    form: "f32",
    headSize: sizeOf(axes.keys),
    pageBytes: PAGE_ENTRIES * held * 8,
    gather(sourcePages, targetPages, list, count, { rotations, half, first }) {
      core.kernels.gatherTurn(sourcePages, targetPages, list, count, held, half, rotations ?? 0, PAGE_SHIFT, first);
    },
    read(page, rows, part, target) {
      unpackRows(core.f32(page + offsets[part], rows * held), target, axes[part]);
    },
    writeBytes: 0,
    write(page, slot, part, row) {
      packRow(row, core.f32(page + offsets[part] + slot * held * 4, held), axes[part]);
    },
    setTurns() {},
  };
}

/** Pages of 8 bits; assembly/page-q8.ts has their layout. Heads are held in whole blocks of 32 dimensions. */
export function q8Pages(core: Core, axes: HeadAxes): PageForm {
  const held = packedSizeOf(axes.keys);
  const pageBytes = core.kernels.pageBytesQ8(held, PAGE_SHIFT);
  const rowBytes = held * 4;
  const positions = (page: number) => core.i32(page + pageBytes - PAGE_ENTRIES * 4, PAGE_ENTRIES);
  const expandedBytes = PAGE_ENTRIES * rowBytes * 2;
  /** Expands a page's first entries to `target`: keys, then values. @returns the addresses of the two */
  const expand = (page: number, rows: number, target: number, { firstRows, frequencies }: Turning) => {
    const [first, last] = [positions(page)[0]!, positions(page)[rows - 1]!];
    const rotations = firstRows.origin(first, last - first + 1);
    core.kernels.expandQ8(page, target, rows, held, PAGE_SHIFT, rotations, frequencies.attentionFactor);
    return { keys: target, values: target + PAGE_ENTRIES * rowBytes };
  };
  return {
    form: "q8",
    headSize: sizeOf(axes.keys),
    pageBytes,
    gather(sourcePages, targetPages, list, count, { rotations }) {
      core.kernels.gatherQ8(sourcePages, targetPages, list, count, held, PAGE_SHIFT, Number(rotations !== undefined));
    },
    read(page, rows, part, target, turning) {
      core.borrow({ expanded: expandedBytes }, ({ expanded }) => {
        unpackRows(core.f32(expand(page, rows, expanded, turning)[part], rows * held), target, axes[part]);
      });
    },
    writeBytes: expandedBytes,
    write(page, slot, part, row, scratch, turning) {
      const position = positions(page)[slot]!;
      const { keys, values } = expand(page, slot + 1, scratch, turning);
      const key = core.f32(keys + slot * rowBytes, held);
      const value = core.f32(values + slot * rowBytes, held);
      packRow(row, part === "keys" ? key : value, axes[part]);
      const { inverseFrequencies, attentionFactor } = turning.frequencies;
      const turn = core.f32((turning.rows.origin(position, 1) + position * rowBytes) >>> 0, held);
      turnBack(key, turn, inverseFrequencies.length, attentionFactor);
      core.kernels.writeEntryQ8(page, slot, key.byteOffset, value.byteOffset, position, held, PAGE_SHIFT);
    },
    setTurns(page, turns) {
      positions(page).set(turns);
    },
  };
}
