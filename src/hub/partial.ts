/**
 * Files that are being downloaded, beside the blobs they will become: each belongs to one process, and one that was left behind is
 * taken over with what it holds.
 */
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";

/** Milliseconds between two signs of life, and after how many without one a file counts as left behind. */
const BEAT = 5_000;
const SILENCE = 60_000;

/** Of this process and this copy of the module: threads have copies of their own. */
const owner = `${machine()}-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
let count = 0;

/** Deno asks before it tells. */
function machine(): string {
  try {
    return hostname().replace(/[^A-Za-z0-9]/g, "_");
  } catch {
    return "host";
  }
}

/** A file that this process writes. */
export interface Partial {
  readonly handle: FileHandle;
  /** Bytes that it holds already. */
  readonly byteLength: number;
  /** It has become the blob, whole or not at all. */
  finish(): Promise<void>;
  /** Leaves it to whoever comes next. */
  release(): Promise<void>;
  /** Takes it away: what it holds is wrong. */
  discard(): Promise<void>;
}

/**
 * Begins to write a blob, or goes on where somebody left off.
 *
 * @throws the file system's own errors
 */
export async function openPartial(blob: string): Promise<Partial> {
  const path = `${blob}.${owner}-${count++}.incomplete`;
  await takeOver(blob, path);
  // Not "a": every byte is written at its own place, so that nobody who still writes can spoil it.
  const handle = await open(path, "r+").catch(() => open(path, "w+"));
  const { size } = await handle.stat();
  const beat = setInterval(() => void handle.utimes(new Date(), new Date()).catch(() => {}), BEAT);
  (beat as { unref?: () => void }).unref?.();
  const close = async () => {
    clearInterval(beat);
    await handle.close();
  };
  return {
    handle,
    byteLength: size,
    async finish() {
      await handle.datasync();
      await close();
      await rename(path, blob).catch(async (error) => {
        // Windows replaces no file that is open; whoever was first has the same bytes.
        if (!(await stat(blob).catch(() => undefined))) throw error;
        await rm(path, { force: true });
      });
    },
    async release() {
      await close();
      await rename(path, `${blob}.siskin.incomplete`).catch(() => {});
    },
    async discard() {
      await close();
      await rm(path, { force: true });
    },
  };
}

/** Renames what was left behind of a blob; of several who try, one succeeds. */
async function takeOver(blob: string, path: string): Promise<void> {
  const names = await readdir(dirname(blob)).catch(() => []);
  for (const name of names) {
    const left = join(dirname(blob), name);
    if (!name.startsWith(`${basename(blob)}.`) || !(await isLeft(left, name.slice(basename(blob).length + 1))))
      continue;
    const taken = await rename(left, path).then(
      () => true,
      () => false,
    );
    if (taken) return;
  }
}

/** @param rest of the name: "siskin.incomplete" or "MACHINE-PROCESS-COPY-NUMBER.incomplete"; others are not ours */
async function isLeft(path: string, rest: string): Promise<boolean> {
  if (rest === "siskin.incomplete") return true;
  const match = /^(\w+)-(\d+)-\w+-\d+\.incomplete$/.exec(rest);
  if (!match) return false;
  if (match[1] === machine() && isDead(Number(match[2]))) return true;
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && Date.now() - status.mtimeMs > SILENCE;
}

function isDead(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
