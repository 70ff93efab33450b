/** The files that the command line names. */
import { readFile, writeFile } from "node:fs/promises";
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
  return readFile(path, "utf8").catch(failed(path, "read"));
}

/** A file's text. @throws SiskinError naming a file that cannot be read */
export async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(failed(path, "read"));
}

/** A file's bytes. @throws SiskinError naming a file that cannot be read */
export async function readBytes(path: string): Promise<Uint8Array> {
  return readFile(path).catch(failed(path, "read"));
}

/** Writes a file. @throws SiskinError naming a file that cannot be written */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(path, bytes).catch(failed(path, "written"));
}

function failed(path: string, done: string) {
  return (error: Error): never => {
    throw new SiskinError(`${path} cannot be ${done}: ${error.message}`);
  };
}
