/** Runs the built command line as a shell would. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";

/** What a run came to. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the command line; its standard streams are pipes. */
export function start(...words: string[]) {
  return spawn(process.execPath, ["dist/cli.js", ...words], { stdio: "pipe" });
}

/** Runs the command line to its end. @param input what it finds on standard input */
export async function run(words: readonly string[], input: Iterable<string | Uint8Array> = []): Promise<Outcome> {
  const child = start(...words);
  const ended = once(child, "close");
  // A run that ends without reading its input closes the pipe.
  child.stdin.on("error", () => {});
  for (const piece of input) child.stdin.write(piece);
  child.stdin.end();
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await ended;
  return { code, stdout, stderr };
}
