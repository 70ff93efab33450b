/** The cache of huggingface_hub on disk: models--ORG--NAME with blobs by their ETag, snapshots that link to them, and refs. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { SiskinError, UnsupportedError } from "../errors.ts";
import { fileSource } from "../formats/file-source.ts";
import { commitOf, type HubListing } from "./client.ts";
import { type Digest, type DownloadTarget, download } from "./download.ts";
import type { HubStore } from "./open.ts";
import { openPartial, type Partial } from "./partial.ts";

/** Bytes of a partial file that are read at once. */
const PIECE = 1 << 20;

/** @param root the folder of all models, which need not be there yet */
export function diskStore(root: string): HubStore {
  const snapshotPath = ({ repository, commit }: HubListing, path: string) =>
    join(repositoryFolder(root, repository), "snapshots", commit, ...path.split("/"));
  return {
    keeps: true,
    async cached({ repository, revision }) {
      const folder = repositoryFolder(root, repository);
      const ref = () => readFile(join(folder, "refs", ...revision.split("/")), "utf8").catch(() => "");
      const commit = commitOf(revision) ?? commitOf((await ref()).trim());
      if (!commit) return undefined;
      const paths = await filesBelow(join(folder, "snapshots", commit));
      if (paths.length === 0) return undefined;
      const unknown = { byteLength: undefined, sha256: undefined, etag: undefined };
      return { repository, commit, files: paths.map((path) => ({ path, ...unknown })) };
    },
    async remember({ revision }, { repository, commit }) {
      if (revision === commit) return;
      await kept(async () => {
        const path = join(repositoryFolder(root, repository), "refs", ...revision.split("/"));
        if ((await readFile(path, "utf8").catch(() => "")) === commit) return;
        await mkdir(dirname(path), { recursive: true });
        const fresh = freshName(path);
        await writeFile(fresh, commit);
        await rename(fresh, path);
      });
    },
    async holds(listing, file) {
      const status = await stat(snapshotPath(listing, file.path)).catch(() => undefined);
      return status?.isFile() === true && (file.byteLength === undefined || status.size === file.byteLength);
    },
    async fetch(access, listing, file, onBytes) {
      const blob = join(repositoryFolder(root, listing.repository), "blobs", file.etag!);
      const pointer = snapshotPath(listing, file.path);
      await kept(async () => {
        await mkdir(dirname(blob), { recursive: true });
        await mkdir(dirname(pointer), { recursive: true });
      });
      const held = await stat(blob).catch(() => undefined);
      if (!held || (file.byteLength !== undefined && held.size !== file.byteLength)) {
        await fetchBlob(blob, (target) => download(access, listing, file, target, sha256, onBytes));
      }
      await kept(() => link(blob, pointer, file.path));
    },
    open: (_access, listing, file) => fileSource(snapshotPath(listing, file.path)),
  };
}

/** The folder of a model. */
export function repositoryFolder(root: string, repository: string): string {
  return join(root, `models--${repository.replace("/", "--")}`);
}

/** Runs a download into the blob; what came of one that failed is left for the next. */
async function fetchBlob(blob: string, run: (target: DownloadTarget) => Promise<void>): Promise<void> {
  const partial = await kept(() => openPartial(blob));
  const target = targetOf(partial);
  try {
    await run(target);
  } catch (error) {
    await (target.byteLength > 0 ? partial.release() : partial.discard());
    throw error;
  }
  await kept(() => partial.finish());
}

function targetOf({ handle, byteLength }: Partial): DownloadTarget {
  let end = byteLength;
  return {
    get byteLength() {
      return end;
    },
    async *stored() {
      const buffer = new Uint8Array(PIECE);
      for (let at = 0; at < end; ) {
        const { bytesRead } = await kept(() => handle.read(buffer, 0, Math.min(PIECE, end - at), at));
        if (bytesRead === 0) throw new UnsupportedError("A file in the cache was made shorter while it was read");
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    },
    async append(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await kept(() => handle.write(bytes, done, bytes.length - done, end));
        done += bytesWritten;
        end += bytesWritten;
      }
    },
    async clear() {
      await kept(() => handle.truncate(0));
      end = 0;
    },
  };
}

function sha256(): Digest {
  const hash = createHash("sha256");
  return { update: (bytes) => hash.update(bytes), hex: () => hash.digest("hex") };
}

/** Puts a blob into a snapshot: by a relative link as huggingface_hub does, or by a copy where there are none. */
async function link(blob: string, pointer: string, path: string): Promise<void> {
  const up = "../".repeat(path.split("/").length + 1);
  const target = posix.join(up, "blobs", blob.slice(dirname(blob).length + 1));
  // Made beside and put there at once: others may be looking.
  const fresh = freshName(pointer);
  await symlink(target, fresh).catch(() => copyFile(blob, fresh));
  await rename(fresh, pointer);
}

/** For a file that is to take another's place. */
const freshName = (path: string): string => `${path}.${Math.random().toString(36).slice(2)}.incomplete`;

/** The paths of all files below a folder, links included; none where there is no folder. */
async function filesBelow(folder: string, prefix = ""): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = entries.map(async (entry) => {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) return filesBelow(join(folder, entry.name), `${path}/`);
    // A link may lead to a blob that was taken away.
    const whole = (await stat(join(folder, entry.name)).catch(() => undefined))?.isFile();
    return whole && !path.endsWith(".incomplete") ? [path] : [];
  });
  return (await Promise.all(found)).flat().sort();
}

/** @throws UnsupportedError for what the file system refuses */
async function kept<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SiskinError) throw cause;
    throw new UnsupportedError(`The cache of models cannot be used: ${(cause as Error).message}`, { cause });
  }
}
