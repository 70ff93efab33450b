/** Tests that need a file which is not in the repository: where it is missing they are skipped by name, and counted. */
import { existsSync } from "node:fs";
import { relative } from "node:path";
import type { Test } from "uvu";

/** Registers a test; where one of the files that it needs is missing, skips it and says so. */
export function needs(test: Test, paths: string | readonly string[], name: string, body: () => void | Promise<void>) {
  const missing = [paths].flat().find((path) => !existsSync(path));
  if (missing === undefined) {
    test(name, body);
    return;
  }
  test.skip(name, body);
  console.log(`skipped: ${name} (there is no ${relative(".", missing)})`);
}
