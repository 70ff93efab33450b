/** Opens a model of the Hub: lists it, fetches what is not there yet, and gives its files. */
import { FormatError, UnsupportedError } from "../errors.ts";
import { type FolderSet, openedFiles } from "../formats/file-set.ts";
import { indexFile, parseIndex } from "../formats/safetensors.ts";
import type { ByteSource } from "../formats/source.ts";
import { type Choice, chooseFiles } from "./choose.ts";
import { describedFile, type HubAccess, type HubFile, type HubListing, HubUnreachable, listFiles } from "./client.ts";
import type { HubName } from "./name.ts";

/** Where files of the Hub are kept. */
export interface HubStore {
  /** False where every file comes from the Hub each time. */
  readonly keeps: boolean;
  /** What is there of a model, without asking the Hub; undefined for nothing. */
  cached(name: HubName): Promise<HubListing | undefined>;
  /** Keeps which commit a branch or tag is at. */
  remember(name: HubName, listing: HubListing): Promise<void>;
  /** Whether the file is there as a whole. */
  holds(listing: HubListing, file: HubFile): Promise<boolean>;
  /**
   * Fetches a file.
   *
   * @param onBytes hears how many bytes of it are there
   * @throws UnsupportedError when the connection is lost for good or it cannot be kept, FormatError when it is not what the Hub says
   */
  fetch(access: HubAccess, listing: HubListing, file: HubFile, onBytes: (bytes: number) => void): Promise<void>;
  open(access: HubAccess, listing: HubListing, file: HubFile): Promise<ByteSource | undefined>;
}

/** How far a download has come. */
export type OnDownload = (bytesRead: number, bytesTotal: number) => void;

/** Milliseconds that the Hub has to answer, where what is in the cache would do. */
const PATIENCE = 10_000;

/**
 * @param offline whether the Hub is not to be asked
 * @throws UnsupportedError when it cannot be reached and the model is not in the cache, or there is no such model; what `chooseFiles` does
 */
export async function openHub(
  name: HubName,
  access: HubAccess,
  store: HubStore,
  { offline = false, onDownload }: { offline?: boolean | undefined; onDownload?: OnDownload | undefined } = {},
): Promise<FolderSet> {
  const { listing, online } = await listingOf(name, access, store, offline);
  const choice = chooseFiles(listing, name);
  const described = async (file: HubFile) => (online && store.keeps ? describedFile(access, listing, file) : file);
  const index = choice.index && (await described(choice.index));
  if (index && online && !(await store.holds(listing, index))) await store.fetch(access, listing, index, () => {});
  const weights = index ? await shardsOf(listing, index, choice, () => store.open(access, listing, index)) : [];
  // Weights come last: where they are, all that belongs to them is.
  const files: HubFile[] = [];
  for (const file of [...choice.companions, ...choice.weights, ...weights]) files.push(await described(file));
  if (online) {
    await fetchAll(access, listing, files, store, onDownload);
    await store.remember(name, listing);
  }
  const all = index ? [...files, index] : files;
  const flat = ({ path }: HubFile) => (path.endsWith(".gguf") ? path.slice(path.lastIndexOf("/") + 1) : path);
  return openedFiles(new Map(all.map((file) => [flat(file), () => store.open(access, listing, file)])));
}

async function listingOf(
  name: HubName,
  access: HubAccess,
  store: HubStore,
  offline: boolean,
): Promise<{ listing: HubListing; online: boolean }> {
  const cached = await store.cached(name);
  if (offline) {
    if (cached) return { listing: cached, online: false };
    throw new UnsupportedError(`${name.text}: is not in the cache, and HF_HUB_OFFLINE says not to ask for it`);
  }
  const patience = new AbortController();
  const abort = () => patience.abort(access.signal?.reason);
  access.signal?.addEventListener("abort", abort, { once: true });
  const late = new HubUnreachable(`${access.endpoint}: does not answer`);
  const timer = cached && setTimeout(() => patience.abort(late), PATIENCE);
  try {
    access.signal?.throwIfAborted();
    return { listing: await listFiles({ ...access, signal: patience.signal }, name), online: true };
  } catch (error) {
    if (cached && error instanceof HubUnreachable) return { listing: cached, online: false };
    throw error;
  } finally {
    clearTimeout(timer);
    access.signal?.removeEventListener("abort", abort);
  }
}

/** The files that an index names. */
async function shardsOf(
  { files }: HubListing,
  { path }: HubFile,
  { weights }: Choice,
  open: () => Promise<ByteSource | undefined>,
): Promise<readonly HubFile[]> {
  const source = await open();
  if (!source) return weights;
  try {
    const text = new TextDecoder().decode(await source.readAll(100_000_000));
    const names = [...new Set(parseIndex(text).values())].sort();
    return names.map((name) => {
      const file = files.find((candidate) => candidate.path === name);
      if (!file) throw new FormatError(name, `is missing, but ${path === indexFile ? indexFile : path} names it`);
      return file;
    });
  } finally {
    await source.close();
  }
}

async function fetchAll(
  access: HubAccess,
  listing: HubListing,
  files: readonly HubFile[],
  store: HubStore,
  onDownload: OnDownload | undefined,
): Promise<void> {
  const missing: HubFile[] = [];
  for (const file of files) if (!(await store.holds(listing, file))) missing.push(file);
  const total = missing.reduce((sum, { byteLength }) => sum + (byteLength ?? 0), 0);
  let done = 0;
  for (const file of missing) {
    let of = 0;
    await store.fetch(access, listing, file, (bytes) => {
      of = bytes;
      onDownload?.(done + bytes, Math.max(total, done + bytes));
    });
    done += of;
  }
}
