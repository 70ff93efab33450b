/** Words of steps and records, whose names and order stand in src/core/layouts.ts. */

// @ts-ignore: decorator
@inline
export function word(record: usize, index: i32): i32 {
  return load<i32>(wordAt(record, index));
}

// @ts-ignore: decorator
@inline
export function address(record: usize, index: i32): usize {
  return load<usize>(wordAt(record, index));
}

// @ts-ignore: decorator
@inline
export function number(record: usize, index: i32): f32 {
  return load<f32>(wordAt(record, index));
}

/** Where a word stands; that of the index `words` is the first behind a record. */
// @ts-ignore: decorator
@inline
export function wordAt(record: usize, index: i32): usize {
  return record + (<usize>index << 2);
}

/** Where record `index` of a list stands, of records of so many words. */
// @ts-ignore: decorator
@inline
export function recordAt(list: usize, index: i32, words: i32): usize {
  return wordAt(list, index * words);
}
