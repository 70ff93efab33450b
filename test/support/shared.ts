/** Where the files lie that are too large for the repository: SmolLM2-135M with what was recorded of it, and a book. */
import { resolve } from "node:path";
import process from "node:process";

/** The path that a file would have in the folder that the environment's SISKIN_SHARED names, or else in `../shared`. */
export function sharedPath(relative: string): string {
  return resolve(process.env.SISKIN_SHARED ?? "../shared", relative);
}

/** SmolLM2-135M-Instruct in Q4_1. */
export const smolLM2 = sharedPath("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
