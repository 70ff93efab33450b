/** The files that the command line names. */
import { readFile, writeFile } from "node:fs/promises";
import { SiskinError } from "../errors.ts";

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
