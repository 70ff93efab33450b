/** Asking a server, and what its answer says. */
import { UnsupportedError } from "../errors.ts";

/** What Siskin needs of the web's `fetch`. */
export type Fetch = (
  url: string,
  init: { signal?: AbortSignal; headers?: Record<string, string>; method?: string; redirect?: "manual" },
) => Promise<Response>;

/** How to fetch. */
export interface FetchOptions {
  /** Instead of the runtime's own. */
  readonly fetch?: Fetch | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A server's answer, whatever it is. @throws UnsupportedError when it cannot be reached; the signal's reason */
export async function request(
  url: string,
  { fetch = globalThis.fetch, signal, headers }: FetchOptions,
  init: { method?: string; redirect?: "manual" } = {},
): Promise<Response> {
  signal?.throwIfAborted();
  try {
    return await fetch(url, { ...init, ...(signal && { signal }), ...(headers && { headers: { ...headers } }) });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new UnsupportedError(`${url}: the server cannot be reached`, { cause });
  }
}

/** @throws UnsupportedError for any status but success */
export async function checkStatus(name: string, response: Response): Promise<void> {
  if (response.ok) return;
  await response.body?.cancel?.().catch(() => {});
  throw new UnsupportedError(`${name}: the server answered ${response.status} ${response.statusText}`.trimEnd());
}

/** Bytes that will arrive; a compressed answer announces only how many travel. */
export function announcedLength({ headers }: Response): number | undefined {
  const length = headers.get("content-length");
  return length && /^\d+$/.test(length) && !headers.has("content-encoding") ? Number(length) : undefined;
}
