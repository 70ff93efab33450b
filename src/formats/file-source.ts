/** Files and folders of Node, Deno and Bun as sources; the only file of formats/ that needs a file system. */
import type { Stats } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FormatError, UnsupportedError } from "../errors.ts";
import { checkFileName, type FolderSet, openedFiles } from "./file-set.ts";
import type { Siblings } from "./gguf-parts.ts";
import { type ByteSource, checkEnd, checkLimit } from "./source.ts";

/** The longest single read: node:fs takes lengths of 31 bits. */
const readBytesAtOnce = 1 << 30;

/**
 * Undefined when there is no such file. Reads go straight into their target.
 *
 * @throws UnsupportedError when it cannot be opened, or is not a file
 */
export async function fileSource(path: string): Promise<ByteSource | undefined> {
  const name = basename(path);
  let handle: FileHandle;
  let byteLength: number;
  try {
    // Before it is opened: that of a pipe waits for a writer.
    const status = await stat(path);
    if (!status.isFile()) throw new UnsupportedError(`${path}: is not a file`);
    byteLength = status.size;
    handle = await open(path, "r");
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UnsupportedError(`${path}: cannot be opened`, { cause });
  }
  const source: ByteSource = {
    name,
    byteLength,
    seekable: true,
    async readInto(offset, target) {
      checkEnd(name, byteLength, offset + target.length);
      for (let done = 0; done < target.length; ) {
        const wanted = Math.min(target.length - done, readBytesAtOnce);
        const { bytesRead } = await handle.read(target, done, wanted, offset + done).catch((cause) => {
          throw new UnsupportedError(`${path}: could not be read`, { cause });
        });
        if (bytesRead === 0) throw new FormatError(name, "was made shorter while it was read", offset + done);
        done += bytesRead;
      }
    },
    async readAll(limit) {
      checkLimit(name, byteLength, limit);
      const whole = new Uint8Array(byteLength);
      await source.readInto(0, whole);
      return whole;
    },
    close: () => handle.close(),
  };
  return source;
}

/** What there is at a path. @throws UnsupportedError for what is neither, or cannot be looked at */
export async function kindOfPath(path: string): Promise<"file" | "folder" | undefined> {
  let status: Stats;
  try {
    status = await stat(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new UnsupportedError(`${path}: cannot be opened`, { cause });
  }
  if (status.isDirectory()) return "folder";
  if (status.isFile()) return "file";
  throw new UnsupportedError(`${path}: is neither a file nor a folder`);
}

function isMissing(cause: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "");
}

/** The files of a folder. */
export function folderFiles(folder: string): FolderSet {
  const list = (path: string) =>
    readdir(path).catch((cause) => {
      throw new UnsupportedError(`${path}: cannot be read`, { cause });
    });
  return {
    names: () => list(folder),
    async folder(name) {
      const path = join(folder, name);
      return (await kindOfPath(path)) === "folder" ? folderFiles(path) : openedFiles(new Map());
    },
    async open(name) {
      checkFileName(name);
      return fileSource(join(folder, name));
    },
  };
}

/** The files beside a file. */
export function siblingFiles(path: string): Siblings {
  return { name: basename(path), open: (name) => fileSource(join(dirname(path), name)) };
}
