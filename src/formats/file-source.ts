/** Files and folders of Node, Deno and Bun as sources; the only file of formats/ that needs a file system. */
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FormatError, UnsupportedError } from "../errors.ts";
import { checkFileName, type FolderSet } from "./file-set.ts";
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

/**
 * The files of a folder that a user names.
 *
 * @throws UnsupportedError when there is no such folder, or it is none
 */
export async function modelFolder(path: string): Promise<FolderSet> {
  const status = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const missing = cause.code === "ENOENT" || cause.code === "ENOTDIR";
    throw new UnsupportedError(missing ? `${path}: there is no such folder` : `${path}: cannot be read`, { cause });
  });
  if (!status.isDirectory()) throw new UnsupportedError(`${path}: is neither a folder nor a .gguf file`);
  return folderFiles(path);
}

/** The files of a folder, which may be missing. */
export function folderFiles(folder: string): FolderSet {
  return {
    async folder(name) {
      const path = join(folder, name);
      const names = await readdir(path).catch((cause) => {
        if (["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "")) return [];
        throw new UnsupportedError(`${path}: cannot be read`, { cause });
      });
      return { names, files: folderFiles(path) };
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
