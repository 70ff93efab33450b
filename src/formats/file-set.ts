/** The files that a model is made of, by name. */
import { ArgumentError, UnsupportedError } from "../errors.ts";
import { show } from "../show.ts";
import { type FetchOptions, fetchSource } from "./fetch-source.ts";
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
   * The files in such a folder, and their names: undefined where they cannot be known.
   *
   * @throws UnsupportedError when the medium fails
   */
  folder(name: string): Promise<{ readonly names: readonly string[] | undefined; readonly files: FileSet }>;
}

/** A file as a user may hand it over; a string is a URL. */
export type FileData = Blob | Uint8Array | ArrayBuffer | URL | string | ReadableStream<Uint8Array>;

/** Files handed over one by one. A stream can be opened once. */
export function recordFiles(files: Readonly<Record<string, FileData>>, options: FetchOptions = {}): FolderSet {
  return {
    async folder(name) {
      const inside = Object.entries(files).filter(([path]) => path.startsWith(`${name}/`));
      const record = Object.fromEntries(inside.map(([path, data]) => [path.slice(name.length + 1), data]));
      return { names: Object.keys(record), files: recordFiles(record, options) };
    },
    async open(name) {
      checkFileName(name);
      return Object.hasOwn(files, name) ? dataSource(name, files[name]!, options) : undefined;
    },
  };
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
    async folder(name) {
      return { names: undefined, files: urlFiles(new URL(encodeURIComponent(name), folder), options) };
    },
    async open(name) {
      checkFileName(name);
      return fetchSource(new URL(encodeURIComponent(name), folder).href, options);
    },
  };
}

/**
 * A source over whatever a user hands over.
 *
 * @throws ArgumentError for anything else, and for a stream that is being read
 * @throws UnsupportedError when a URL leads nowhere
 */
export async function dataSource(name: string, data: FileData, options: FetchOptions = {}): Promise<ByteSource> {
  if (data instanceof Uint8Array || data instanceof ArrayBuffer) return bytesSource(name, data);
  if (data instanceof Blob) return blobSource(name, data);
  if (data instanceof ReadableStream) return streamSource(name, data, { signal: options.signal });
  if (data instanceof URL || typeof data === "string") {
    const source = await fetchSource(String(data), options);
    if (!source) throw new UnsupportedError(`${data}: there is no such file`);
    return source;
  }
  throw new ArgumentError(`${name}: a file is a Blob, bytes, a ReadableStream or a URL`);
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
