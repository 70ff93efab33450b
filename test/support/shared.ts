/** Finds large test files that are not in the repository, and says so where they are missing. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";

/**
 * The path of a file in the shared folder: the environment's SISKIN_SHARED, else `../shared` beside the working directory.
 *
 * @returns undefined, after printing one line, when it is not there
 */
export function sharedPath(relative: string): string | undefined {
  const path = resolve(process.env.SISKIN_SHARED ?? "../shared", relative);
  if (existsSync(path)) return path;
  console.log(`skipped: shared file ${relative} is missing`);
  return undefined;
}
