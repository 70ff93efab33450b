/** The document that the command line names: a file, or standard input as it arrives. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { addAbortSignal } from "node:stream";
import { SiskinError } from "../errors.ts";

/**
 * A file is read whole, so that its length is known while it is read; standard input may have no end yet.
 * @param path a file's, or - for standard input
 * @param signal ends the wait for more input
 * @throws SiskinError naming a file that cannot be read
 */
export async function openDocument(path: string, signal: AbortSignal): Promise<string | AsyncIterable<string>> {
  if (path === "-") return addAbortSignal(signal, process.stdin.setEncoding("utf8"));
  try {
    return await readFile(path, { encoding: "utf8", signal });
  } catch (error) {
    throw new SiskinError(`${path} cannot be read: ${(error as Error).message}`);
  }
}
