/** A file behind a URL: one GET, read as it arrives. */
import { UnsupportedError } from "../errors.ts";
import { type ByteSource, bytesSource } from "./source.ts";
import { streamSource } from "./stream-source.ts";

/** What Siskin needs of the web's `fetch`. */
export type Fetch = (url: string, init: { signal?: AbortSignal }) => Promise<Response>;

/** How to fetch. */
export interface FetchOptions {
  /** Instead of the runtime's own. */
  readonly fetch?: Fetch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Undefined when the server says that there is no such file (404, 410).
 *
 * @throws UnsupportedError for any other status but success, or when the server cannot be reached; an abort throws the
 *   signal's own reason
 */
export async function fetchSource(url: string, options: FetchOptions = {}): Promise<ByteSource | undefined> {
  const { fetch = globalThis.fetch, signal } = options;
  signal?.throwIfAborted();
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
  } catch (cause) {
    signal?.throwIfAborted();
    throw new UnsupportedError(`${url}: the server cannot be reached`, { cause });
  }
  if (!response.ok) {
    await response.body?.cancel().catch(() => {});
    if (response.status === 404 || response.status === 410) return undefined;
    throw new UnsupportedError(`${url}: the server answered ${response.status} ${response.statusText}`.trimEnd());
  }
  if (!response.body) return bytesSource(url, new Uint8Array(0));
  return streamSource(url, response.body, { byteLength: announcedLength(response.headers), signal });
}

/** Bytes that will arrive; a compressed answer announces only how many travel. */
function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  return length && /^\d+$/.test(length) && !headers.has("content-encoding") ? Number(length) : undefined;
}
