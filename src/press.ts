/** `siskin/press`: what a press is, and what methods of one's own are made of. */
export { ArgumentError, NumericError, SiskinError } from "./errors.ts";
export { type Budget, keptOf, keptTogether, type Protect, type Target } from "./press/budget.ts";
export {
  type Definition,
  definePress,
  defineWrapper,
  type Factory,
  type OptionsOf,
  type Wrapper,
} from "./press/define.ts";
export { pick } from "./press/entries.ts";
export * from "./press/factories.ts";
export type * from "./press/press.ts";
export { type PressName, press, pressNames } from "./press/registry.ts";
export {
  callback,
  choice,
  flag,
  group,
  innerPress,
  list,
  number,
  numbers,
  odd,
  optional,
  part,
  reach,
  removed,
  required,
  type Setting,
  type Settings,
  whole,
} from "./press/settings.ts";
export { averagePooled, columnMeans, softmaxRow } from "./press/tools/attention.ts";
export { evenLength, isLongerThan, windowRows } from "./press/tools/check.ts";
export { join, keepAttended, scoresOf, selectEntries, splitIndices, spread } from "./press/tools/choose.ts";
export { KnownScores } from "./press/tools/course.ts";
export { eachHead, eachMember, equalScores, surround } from "./press/tools/each-head.ts";
export { largestOf, meanOf, pickRows, range, rowDots, rowNorms, transposed } from "./press/tools/vectors.ts";
