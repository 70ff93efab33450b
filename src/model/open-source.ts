/** Finds out what a user gave for a model, wherever it lies, and opens its files. */
import { ArgumentError, FormatError, UnsupportedError } from "../errors.ts";
import { abortableFiles, abortableFolder, abortableSource, unlessAborted } from "../formats/abort.ts";
import { fetchSource } from "../formats/fetch-source.ts";
import { dataSource, type FolderSet, handleFiles, recordFiles, urlFiles } from "../formats/file-set.ts";
import type { Siblings } from "../formats/gguf-parts.ts";
import {
  bytesOf,
  type DirectoryHandle,
  type FileData,
  type FileHandle,
  isBlob,
  isDirectory,
  isFileHandle,
  isFileList,
  isRecord,
  isResponse,
  isStream,
  isUrl,
  type NamedBlob,
  ownName,
  recordOfList,
} from "../formats/given.ts";
import { indexFile, singleFile } from "../formats/safetensors.ts";
import type { ByteSource } from "../formats/source.ts";
import type { HubOptions } from "../hub/access.ts";
import { type HubName, parseHubName } from "../hub/name.ts";
import { show } from "../show.ts";
import type { OpenModel } from "./build.ts";
import type { LoadOptions } from "./load-options.ts";
import { openFolderModel, openGgufModel } from "./open-model.ts";

/**
 * Where a model lies: a path, a URL, a name on the Hugging Face Hub (`org/name`, `org/name:Q4_K_M`, `org/name@revision`), a folder's
 * handle, files by name, a list of files, or a GGUF as bytes, Blob, stream or response. A path or URL that ends in .gguf is that file, of
 * a model in parts the first one; any other URL is a folder. A path that exists comes before a name.
 */
export type ModelSource =
  | FileData
  | Readonly<Record<string, FileData>>
  | ArrayLike<NamedBlob | FileHandle>
  | DirectoryHandle;

/** Where models are found on a runtime. */
export interface Places {
  /** Files by path, where there is a file system. */
  readonly files?: {
    /** Undefined for a path at which there is nothing. */
    kind(path: string): Promise<"file" | "folder" | undefined>;
    folder(path: string): FolderSet;
    file(path: string): Promise<ByteSource | undefined>;
    /** What lies beside a file. */
    siblings(path: string): Siblings;
  };
  /** The files of a model on the Hub. */
  readonly hub: (name: HubName, options: HubOptions) => Promise<FolderSet>;
}

/** @throws ArgumentError for what is no source, FormatError, UnsupportedError; what the signal gives when aborted */
export async function openSource(source: ModelSource, options: LoadOptions, places: Places): Promise<OpenModel> {
  const { signal } = options;
  if (isUrl(source)) {
    const url = asUrl(source);
    if (!url || url.protocol === "file:") {
      return openPath(url ? pathOf(url) : String(source), url === undefined, options, places);
    }
    // What is no path can only be the file itself.
    const isFile = url.pathname.endsWith(".gguf") || url.protocol === "blob:" || url.protocol === "data:";
    if (!isFile) return openFolder(urlFiles(url, { signal }), url.href, signal);
    const opening = dataSource(url.href, url, { signal });
    const file = await unlessAborted(opening, signal, (late) => void late.close());
    return openFile(file, signal, urlSiblings(url, signal));
  }
  if (isDirectory(source)) return openFolder(handleFiles(source), source.name, signal);
  if (bytesOf(source) || isBlob(source) || isResponse(source) || isStream(source) || isFileHandle(source)) {
    const data = source as FileData;
    const name = ownName(data) ?? "model.gguf";
    const opening = dataSource(name, data, { signal });
    return openFile(await unlessAborted(opening, signal, (late) => void late.close()), signal);
  }
  if (isFileList(source)) return openFolder(recordFiles(recordOfList(source), { signal }), "model", signal);
  if (isRecord(source)) return openFolder(recordFiles(source, { signal }), "model", signal);
  throw new ArgumentError(
    `A model is a path, a URL, a name on the Hub, a Blob, bytes, a stream, a Response, files by name or in a list, or a folder's handle, and not ${show(source)}`,
  );
}

/** @param name whether it may be a name on the Hub too */
async function openPath(path: string, name: boolean, options: LoadOptions, places: Places): Promise<OpenModel> {
  const { signal } = options;
  const { files } = places;
  const kind = files && (await unlessAborted(files.kind(path), signal, () => {}));
  if (files && kind === "folder") return openFolder(files.folder(path), path, signal);
  if (files && kind === "file") {
    const file = await unlessAborted(files.file(path), signal, (late) => void late?.close());
    if (file) return openFile(file, signal, files.siblings(path));
  }
  const hubName = name ? parseHubName(path) : undefined;
  if (!hubName) {
    const missing = path.endsWith(".gguf") ? "there is no such file" : "there is no such file or folder";
    throw new UnsupportedError(
      `${path}: ${files ? missing : "this runtime has no file system; give a URL, a name on the Hub, bytes or a stream"}`,
    );
  }
  const onDownload = (bytesRead: number, bytesTotal: number) =>
    options.onProgress?.({ stage: "download", bytesRead, bytesTotal });
  const opening = places.hub(hubName, { ...options.hub, signal, onDownload }).catch((error) => {
    signal?.throwIfAborted();
    // Whoever meant a path should hear of it.
    if (!files || !(error instanceof UnsupportedError) || hubName.text !== hubName.repository) throw error;
    const fault = error.message.startsWith(`${path}: `) ? error.message.slice(path.length + 2) : error.message;
    throw new UnsupportedError(`${path}: there is no such file or folder, and as a name on the Hub: ${fault}`, {
      cause: error,
    });
  });
  return openFolder(await unlessAborted(opening, signal, () => {}), path, signal);
}

function openFile(file: ByteSource, signal: AbortSignal | undefined, siblings?: Siblings): Promise<OpenModel> {
  const beside = siblings && { ...abortableFiles(siblings, signal), name: siblings.name };
  return openGgufModel(abortableSource(file, signal), beside);
}

/** Files in a folder, of either layout. @param name the folder's */
async function openFolder(folder: FolderSet, name: string, signal: AbortSignal | undefined): Promise<OpenModel> {
  const files = abortableFolder(folder, signal);
  const gguf = ggufAmong((await files.names()) ?? []);
  if (gguf === undefined) return openFolderModel(files, name);
  const file = await files.open(gguf);
  if (!file) throw new FormatError(gguf, "is not there any more");
  return openGgufModel(file, { name: gguf, open: (other) => files.open(other) });
}

/**
 * The GGUF file among files, or the first of its parts; undefined where there is none, or safetensors.
 *
 * @throws ArgumentError when there are several
 */
function ggufAmong(names: readonly string[]): string | undefined {
  if (names.includes(singleFile) || names.includes(indexFile)) return undefined;
  const files = names.filter((name) => name.endsWith(".gguf")).sort();
  const firsts = files.length > 1 ? files.filter((name) => /-00001-of-\d{5}\.gguf$/.test(name)) : files;
  if (firsts.length === 1 || files.length === 0) return firsts[0];
  throw new ArgumentError(`There are several GGUF files, which should be one or the parts of one: ${files.join(", ")}`);
}

/** What lies beside a file behind a URL; its query holds for them too. */
function urlSiblings(url: URL, signal: AbortSignal | undefined): Siblings {
  const folder = url.pathname.slice(0, url.pathname.lastIndexOf("/") + 1);
  return {
    name: url.pathname.slice(folder.length),
    open(name) {
      const sibling = new URL(url);
      sibling.pathname = folder + name;
      return fetchSource(sibling.href, { signal });
    },
  };
}

/** A URL with a scheme; "C:\\models" has none. @throws ArgumentError for a scheme with nothing sensible behind it */
function asUrl(source: string | URL): URL | undefined {
  if (typeof source !== "string") return new URL(source.href);
  if (!/^[a-z][a-z0-9+.-]+:/i.test(source)) return undefined;
  try {
    return new URL(source);
  } catch (cause) {
    throw new ArgumentError(`${show(source)} is not a URL`, { cause });
  }
}

function pathOf(url: URL): string {
  try {
    return decodeURIComponent(url.pathname);
  } catch (cause) {
    throw new ArgumentError(`${show(url.href)} is not the URL of a file`, { cause });
  }
}
