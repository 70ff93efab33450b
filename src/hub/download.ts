/** Downloads one file of the Hub into whatever keeps it: goes on where it was left, and checks what came. */
import { FormatError, SiskinError, UnsupportedError } from "../errors.ts";
import { request } from "../formats/request.ts";
import { ChangedError, ResumingReader, rangeOf } from "../formats/resuming-reader.ts";
import { checkAccess, fetchOptions, fileUrl, type HubAccess, type HubFile, type HubListing } from "./client.ts";

/** A running SHA-256. */
export interface Digest {
  update(bytes: Uint8Array): unknown;
  /** In hexadecimal digits. */
  hex(): string;
}

/** What a download is written to. */
export interface DownloadTarget {
  /** Bytes of the file that are there already. */
  readonly byteLength: number;
  /** What is there already, in pieces. */
  stored(): AsyncIterable<Uint8Array>;
  /** Puts bytes behind those before. */
  append(bytes: Uint8Array): Promise<void>;
  /** Takes everything away again. */
  clear(): Promise<void>;
}

/**
 * Leaves the target with the whole file, or with what came of it.
 *
 * @param createDigest for files whose SHA-256 the Hub says
 * @param onBytes hears how many bytes of the file are there
 * @throws FormatError when its length or SHA-256 is another than the Hub says, and the target is empty then; UnsupportedError when the
 * connection is lost for good, or for a status of no success; the signal's reason
 */
export async function download(
  access: HubAccess,
  listing: HubListing,
  file: HubFile,
  target: DownloadTarget,
  createDigest: () => Digest,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const name = `${listing.repository}/${file.path}`;
  // What somebody left behind is checked with the rest; when it is wrong, or the file has changed midway, all comes once more.
  for (let again = false; ; again = true) {
    const resumed = target.byteLength > 0;
    let fault: string | undefined;
    try {
      fault = await attempt(access, listing, file, target, createDigest, onBytes, target.byteLength);
      if (fault === undefined) return;
    } catch (error) {
      if (again || !(error instanceof ChangedError)) throw error;
    }
    await target.clear();
    if (again || (fault !== undefined && !resumed)) throw new FormatError(name, fault!);
  }
}

/** @returns what is wrong with what came */
async function attempt(
  access: HubAccess,
  listing: HubListing,
  file: HubFile,
  target: DownloadTarget,
  createDigest: () => Digest,
  onBytes: (bytes: number) => void,
  start: number,
): Promise<string | undefined> {
  const { byteLength, sha256 } = file;
  const url = fileUrl(access, listing, file.path);
  const digest = sha256 ? createDigest() : undefined;
  let position = start;
  if (byteLength !== undefined && position > byteLength)
    return `has more than the ${byteLength} bytes that the Hub says`;
  if (digest && start > 0) {
    for await (const bytes of target.stored()) {
      access.signal?.throwIfAborted();
      digest.update(bytes);
    }
  }
  if (byteLength === undefined || position < byteLength) {
    const options = fetchOptions(access);
    const headers = { ...options.headers, ...(start > 0 && { range: `bytes=${start}-` }) };
    const response = await request(url, { ...options, headers });
    // Servers without ranges send all of it, and those who find nothing behind the range refuse.
    const whole = start > 0 && response.status !== 206;
    if (whole && (response.ok || response.status === 416)) {
      await response.body?.cancel().catch(() => {});
      return "could not be gone on with";
    }
    await checkAccess(response, access, { text: `${listing.repository}/${file.path}`, revision: listing.commit });
    if (start > 0 && rangeOf(response)?.start !== start) return "could not be gone on with";
    if (response.body) {
      const reader = new ResumingReader(url, response, options, start);
      try {
        if (reader.byteLength !== undefined && byteLength !== undefined && reader.byteLength !== byteLength) {
          return `has ${reader.byteLength} bytes, and ${byteLength} as the Hub says`;
        }
        for (
          let piece = await next(reader, url, position, access);
          piece;
          piece = await next(reader, url, position, access)
        ) {
          await target.append(piece);
          digest?.update(piece);
          position += piece.length;
          onBytes(position);
          if (byteLength !== undefined && position > byteLength) break;
        }
        // A connection that ended too early can be gone on with another time.
        const expected = byteLength ?? reader.byteLength;
        if (expected !== undefined && position < expected) {
          throw new UnsupportedError(`${url}: the connection was lost at byte ${position}`);
        }
      } finally {
        reader.cancel();
      }
    }
  }
  if (byteLength !== undefined && position !== byteLength)
    return `has more than the ${byteLength} bytes that the Hub says`;
  const found = digest?.hex();
  return found === sha256 ? undefined : `has the SHA-256 ${found}, and ${sha256} as the Hub says`;
}

async function next(reader: ResumingReader, url: string, position: number, { signal }: HubAccess) {
  signal?.throwIfAborted();
  try {
    return (await reader.read()) as Uint8Array | undefined;
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof SiskinError) throw cause;
    throw new UnsupportedError(`${url}: the connection was lost at byte ${position}`, { cause });
  }
}
