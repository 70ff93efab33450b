/** What a user may hand over as a file or as files, known by what it can do: values come from other realms and from polyfills too. */
import { ArgumentError } from "../errors.ts";

/** A stream of bytes: the web's, or any that can be iterated, such as Node's. */
export type ByteStream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** The web's FileSystemFileHandle. */
export interface FileHandle {
  readonly kind: "file";
  readonly name: string;
  getFile(): Promise<Blob>;
}

/** The web's FileSystemDirectoryHandle. */
export interface DirectoryHandle {
  readonly kind: "directory";
  readonly name: string;
  keys(): AsyncIterableIterator<string>;
  getFileHandle(name: string): Promise<FileHandle>;
  getDirectoryHandle(name: string): Promise<DirectoryHandle>;
}

/** A Blob with a name: the web's File. */
export type NamedBlob = Blob & { readonly name: string; readonly webkitRelativePath?: string };

/** A file as a user may hand it over; a string is a URL. */
export type FileData = Blob | Uint8Array | ArrayBuffer | URL | string | Response | ByteStream | FileHandle;

/** The name that a value's class gives itself: "Uint8Array", "Blob", "Object". */
const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

const has = (value: unknown, ...methods: string[]): boolean =>
  typeof value === "object" &&
  value !== null &&
  methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function");

/** A file that lies in memory, as bytes over the same memory; undefined for anything else. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  const tag = tagOf(value);
  if (tag === "Uint8Array" && ArrayBuffer.isView(value)) {
    return value instanceof Uint8Array ? value : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (tag !== "ArrayBuffer" && tag !== "SharedArrayBuffer") return undefined;
  const buffer = value as ArrayBuffer;
  // A buffer that was transferred away has no bytes left to look at.
  return buffer.byteLength ? new Uint8Array(buffer) : new Uint8Array(0);
}

export function isBlob(value: unknown): value is Blob {
  return has(value, "slice", "arrayBuffer", "stream") && typeof (value as Blob).size === "number";
}

export function isResponse(value: unknown): value is Response {
  return tagOf(value) === "Response" && "body" in (value as Response) && typeof (value as Response).ok === "boolean";
}

export function isStream(value: unknown): value is ByteStream {
  return has(value, "getReader") || (has(value) && Symbol.asyncIterator in (value as object) && !isDirectory(value));
}

export function isUrl(value: unknown): value is URL | string {
  return typeof value === "string" || value instanceof URL || tagOf(value) === "URL";
}

export function isFileHandle(value: unknown): value is FileHandle {
  return has(value, "getFile") && (value as FileHandle).kind === "file";
}

export function isDirectory(value: unknown): value is DirectoryHandle {
  return has(value, "getFileHandle", "getDirectoryHandle", "keys") && (value as DirectoryHandle).kind === "directory";
}

/** An object with files as its values: a literal of whatever realm, no instance of a class. */
export function isRecord(value: unknown): value is Readonly<Record<string, FileData>> {
  if (tagOf(value) !== "Object") return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A FileList, or an array of files or of their handles. */
export function isFileList(value: unknown): value is ArrayLike<NamedBlob | FileHandle> {
  if (tagOf(value) === "FileList") return true;
  const isNamed = (item: unknown) =>
    isFileHandle(item) || (isBlob(item) && typeof (item as NamedBlob).name === "string");
  return Array.isArray(value) && value.length > 0 && value.every(isNamed);
}

/**
 * The files of a list by name. Of a folder that was chosen as a whole, the paths below it.
 *
 * @throws ArgumentError when two have one name, or there is none
 */
export function recordOfList(files: ArrayLike<NamedBlob | FileHandle>): Readonly<Record<string, FileData>> {
  const record = new Map<string, FileData>();
  for (const file of Array.from(files)) {
    const path = (file as NamedBlob).webkitRelativePath;
    const name = path ? path.slice(path.indexOf("/") + 1) : file.name;
    if (record.has(name)) throw new ArgumentError(`Two files are called ${name}`);
    record.set(name, file);
  }
  if (record.size === 0) throw new ArgumentError("The list of files is empty");
  return Object.fromEntries(record);
}

/** What the data calls itself: a File's or handle's name, a Response's URL, the last part of a Node stream's path. */
export function ownName(data: FileData): string | undefined {
  const { name, url, path } = data as { name?: unknown; url?: unknown; path?: unknown };
  if (isBlob(data) || isFileHandle(data)) return typeof name === "string" && name ? name : undefined;
  if (isResponse(data)) return typeof url === "string" && url ? url : undefined;
  return isStream(data) && typeof path === "string" ? path.replace(/^.*[/\\]/s, "") || undefined : undefined;
}
