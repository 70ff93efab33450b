/** Lets an abort end the wait for a file at once, even where its medium never answers. */
import type { FileSet, FolderSet } from "./file-set.ts";
import type { ByteSource } from "./source.ts";

/**
 * What `promise` comes to, or the signal's reason as soon as it is aborted.
 * @param late takes what comes all the same, so that nothing stays open
 */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  late: (value: T) => void,
): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => {
      promise.then(late, () => {});
      reject(signal.reason);
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** A source whose reads end with the signal. What a read that was given up still brings goes where it was to go. */
export function abortableSource(source: ByteSource, signal: AbortSignal | undefined): ByteSource {
  if (!signal) return source;
  return {
    name: source.name,
    byteLength: source.byteLength,
    seekable: source.seekable,
    readInto: (offset, target) => unlessAborted(source.readInto(offset, target), signal, () => {}),
    readAll: (limit) => unlessAborted(source.readAll(limit), signal, () => {}),
    async close() {
      const closing = source.close();
      // A medium that does not answer does not close either.
      if (signal.aborted) closing.catch(() => {});
      else await closing;
    },
  };
}

/** Files whose opening and reads end with the signal. */
export function abortableFiles(files: FileSet, signal: AbortSignal | undefined): FileSet {
  if (!signal) return files;
  return {
    async open(name) {
      const source = await unlessAborted(files.open(name), signal, (late) => void late?.close());
      return source && abortableSource(source, signal);
    },
  };
}

/** The same with the folders beside them. */
export function abortableFolder(files: FolderSet, signal: AbortSignal | undefined): FolderSet {
  if (!signal) return files;
  return {
    ...abortableFiles(files, signal),
    names: () => unlessAborted(files.names(), signal, () => {}),
    async folder(name) {
      return abortableFolder(await unlessAborted(files.folder(name), signal, () => {}), signal);
    },
  };
}
