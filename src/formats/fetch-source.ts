/** A file behind a URL: read as it arrives, and asked for again from where a connection broke. */
import { announcedLength, checkStatus, type FetchOptions, request } from "./request.ts";
import { ResumingReader } from "./resuming-reader.ts";
import { type ByteSource, bytesSource } from "./source.ts";
import { pieceSource } from "./stream-source.ts";

/**
 * Undefined when the server says that there is no such file (404, 410).
 *
 * @throws UnsupportedError for any other status but success, or when the server cannot be reached; an abort throws the
 *   signal's own reason
 */
export async function fetchSource(url: string, options: FetchOptions = {}): Promise<ByteSource | undefined> {
  const response = await request(url, options);
  if (response.status === 404 || response.status === 410) {
    await response.body?.cancel().catch(() => {});
    return undefined;
  }
  await checkStatus(url, response);
  if (!response.body) return bytesSource(url, new Uint8Array(0));
  const byteLength = announcedLength(response);
  return pieceSource(url, new ResumingReader(url, response, options), { byteLength, signal: options.signal });
}
