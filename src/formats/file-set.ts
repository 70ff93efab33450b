/** The files that a model is made of, by name. */
import { ArgumentError, UnsupportedError } from "../errors.ts";
import { show } from "../show.ts";
import { fetchSource } from "./fetch-source.ts";
import {
  bytesOf,
  type DirectoryHandle,
  type FileData,
  isBlob,
  isFileHandle,
  isResponse,
  isStream,
  isUrl,
} from "./given.ts";
import { announcedLength, checkStatus, type FetchOptions } from "./request.ts";
import { type ByteSource, blobSource, bytesSource } from "./source.ts";
import { streamSource } from "./stream-source.ts";

/** The files of a model. */
export interface FileSet {
  /**
   * Undefined when there is no such file.
   *
   * @throws ArgumentError for a name that is not that of a file in this very folder
   * @throws UnsupportedError when the medium fails
   */
  open(name: string): Promise<ByteSource | undefined>;
}

/** The files of a model with folders beside them. */
export interface FolderSet extends FileSet {
  /**
   * The names of the files, perhaps with those of folders; undefined where they cannot be known.
   *
   * @throws UnsupportedError when the medium fails, or there is no such folder
   */
  names(): Promise<readonly string[] | undefined>;
  /**
   * The files in such a folder, which is empty where there is none.
   *
   * @throws UnsupportedError when the medium fails
   */
  folder(name: string): Promise<FolderSet>;
}

/** Files by their paths, each with what opens it. */
export function openedFiles(
  openers: ReadonlyMap<string, (name: string) => Promise<ByteSource | undefined>>,
): FolderSet {
  return {
    async names() {
      return [...openers.keys()].filter(isFileName);
    },
    async folder(name) {
      const inside = [...openers].filter(([path]) => path.startsWith(`${name}/`));
      return openedFiles(new Map(inside.map(([path, open]) => [path.slice(name.length + 1), open])));
    },
    async open(name) {
      checkFileName(name);
      return openers.get(name)?.(name);
    },
  };
}

/** Files handed over one by one, by their paths. A stream can be opened once. */
export function recordFiles(files: Readonly<Record<string, FileData>>, options: FetchOptions = {}): FolderSet {
  const open = (data: FileData) => (name: string) => dataSource(name, data, options);
  return openedFiles(new Map(Object.entries(files).map(([path, data]) => [path, open(data)])));
}

/**
 * The files below a URL, which is taken for a folder whether or not it ends in a slash.
 *
 * @throws ArgumentError for a URL that has nothing below it
 */
export function urlFiles(base: URL | string, options: FetchOptions = {}): FolderSet {
  const folder = new URL(base);
  if (!folder.pathname.startsWith("/")) throw new ArgumentError(`${show(folder.href)} is not the URL of a folder`);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  return {
    async names() {
      return undefined;
    },
    async folder(name) {
      return urlFiles(new URL(encodeURIComponent(name), folder), options);
    },
    async open(name) {
      checkFileName(name);
      return fetchSource(new URL(encodeURIComponent(name), folder).href, options);
    },
  };
}

/** The files below a directory handle of the File System API. */
export function handleFiles(directory: DirectoryHandle): FolderSet {
  const find = async <T>(name: string, handle: Promise<T>): Promise<T | undefined> => {
    try {
      return await handle;
    } catch (cause) {
      if (["NotFoundError", "TypeMismatchError"].includes((cause as Error).name)) return undefined;
      throw new UnsupportedError(`${directory.name}/${name}: cannot be opened`, { cause });
    }
  };
  return {
    async names() {
      const names: string[] = [];
      const keys = directory.keys();
      for (let next = await keys.next(); !next.done; next = await keys.next()) names.push(next.value);
      return names;
    },
    async folder(name) {
      const inside = await find(name, directory.getDirectoryHandle(name));
      return inside ? handleFiles(inside) : openedFiles(new Map());
    },
    async open(name) {
      checkFileName(name);
      const handle = await find(name, directory.getFileHandle(name));
      return handle && dataSource(name, handle);
    },
  };
}

/**
 * A source over whatever a user hands over.
 *
 * @throws ArgumentError for anything else, and for a stream that is being read
 * @throws UnsupportedError when a URL leads nowhere, or a response is of no success
 */
export async function dataSource(name: string, data: FileData, options: FetchOptions = {}): Promise<ByteSource> {
  const { signal } = options;
  const bytes = bytesOf(data);
  if (bytes) return bytesSource(name, bytes);
  if (isBlob(data)) return blobSource(name, data);
  if (isResponse(data)) {
    await checkStatus(name, data);
    if (data.bodyUsed) throw new ArgumentError(`${name}: the response has been read already`);
    if (!data.body) return bytesSource(name, new Uint8Array(0));
    return streamSource(name, data.body, { byteLength: announcedLength(data), signal });
  }
  if (isStream(data)) return streamSource(name, data, { signal });
  if (isFileHandle(data)) {
    const file = await data.getFile().catch((cause: unknown) => {
      throw new UnsupportedError(`${name}: cannot be opened`, { cause });
    });
    return blobSource(name, file);
  }
  if (isUrl(data)) {
    const url = String(data);
    // What is no URL is told apart from a server that does not answer.
    if (!URL.canParse(url)) throw new ArgumentError(`${name}: ${show(url)} is not a URL`);
    const source = await fetchSource(url, options);
    if (!source) throw new UnsupportedError(`${url}: there is no such file`);
    return source;
  }
  throw new ArgumentError(`${name}: a file is a Blob, bytes, a stream, a Response or a URL, and not ${show(data)}`);
}

/** Whether it is the name of a file in a folder, not a path: names come from index files too, which anyone may have written. */
export function isFileName(name: unknown): name is string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return typeof name === "string" && /^[^/\\:\u0000-\u001f\p{Surrogate}]+$/u.test(name) && !/^\.+$/.test(name);
}

/** @throws ArgumentError for a path or anything else but the name of a file */
export function checkFileName(name: string): void {
  if (!isFileName(name)) throw new ArgumentError(`${show(name)} is not the name of a file`);
}

/** No text or JSON file of a model is longer. */
const textLimit = 100_000_000;

/**
 * A whole file as text, or undefined when there is none.
 *
 * @throws FormatError when it is longer than 100 MB
 */
export async function readText(files: FileSet, name: string): Promise<string | undefined> {
  const source = await files.open(name);
  if (!source) return undefined;
  try {
    return new TextDecoder().decode(await source.readAll(textLimit));
  } finally {
    await source.close();
  }
}
