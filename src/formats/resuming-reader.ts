/** A download that goes on where its connection broke, by a Range of what is left (RFC 9110, sections 13 and 14). */
import { UnsupportedError } from "../errors.ts";
import { announcedLength, type FetchOptions } from "./request.ts";
import { type PieceReader, pieceReader } from "./stream-source.ts";

/** Milliseconds before each attempt to connect again; another byte makes the count begin anew. */
const WAITS = [0, 250, 500, 1000, 2000, 4000];

/** What tells one state of a file from another; undefined where the server says nothing that does. */
interface Validators {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** A file is another one on the server than it was when its download began. */
export class ChangedError extends UnsupportedError {
  override name = "UnsupportedError";
}

/** Reads on from a first answer. Bytes of two states of a file are never put together. */
export class ResumingReader implements PieceReader {
  readonly #url: string;
  readonly #options: FetchOptions;
  readonly #validators: Validators;
  /** Bytes in the whole file, where they are known. */
  readonly byteLength: number | undefined;
  /** Whether the bytes that travel are the file's own. */
  readonly #plain: boolean;
  #reader: PieceReader;
  /** Of the next byte. */
  #position: number;
  /** Bytes to pass over of an answer that begins at the file's beginning. */
  #skip = 0;
  #attempts = 0;
  #cancelled = false;

  /**
   * @param response a whole file (200), or its rest from `position` on (206)
   * @throws ArgumentError for an answer that has been read
   */
  constructor(url: string, response: Response, options: FetchOptions, position = 0) {
    this.#url = url;
    this.#options = options;
    this.#position = position;
    this.#validators = validatorsOf(response);
    this.#plain = !response.headers.has("content-encoding");
    this.byteLength = response.status === 206 ? rangeOf(response)?.total : announcedLength(response);
    this.#reader = pieceReader(url, response.body!);
  }

  async read(): Promise<unknown> {
    for (;;) {
      let fault: unknown;
      let broken = false;
      try {
        const piece = (await this.#reader.read()) as Uint8Array | undefined;
        if (piece !== undefined) {
          if (!ArrayBuffer.isView(piece)) return piece;
          const fresh = piece.subarray(Math.min(this.#skip, piece.length));
          this.#skip -= piece.length - fresh.length;
          this.#position += fresh.length;
          if (fresh.length > 0) this.#attempts = 0;
          return fresh;
        }
      } catch (cause) {
        fault = cause;
        broken = true;
      }
      const short = this.byteLength !== undefined && this.#position < this.byteLength;
      // What has ended as it should, and what is not known to be whole, which the reader finds out.
      if (!broken && !short) return undefined;
      if (this.#cancelled || !(await this.#connectAgain())) {
        if (broken) throw fault;
        return undefined;
      }
    }
  }

  cancel(): void {
    this.#cancelled = true;
    this.#reader.cancel();
  }

  /** False where the rest cannot be had, or could be another file's. */
  async #connectAgain(): Promise<boolean> {
    this.#reader.cancel();
    const { fetch = globalThis.fetch, signal, headers } = this.#options;
    while (this.#plain && this.#attempts < WAITS.length) {
      await wait(WAITS[this.#attempts++]!, signal);
      if (this.#cancelled) return false;
      let response: Response;
      try {
        const asked = { ...headers, range: `bytes=${this.#position}-`, ...this.#condition() };
        response = await fetch(this.#url, { headers: asked, ...(signal && { signal }) });
      } catch {
        signal?.throwIfAborted();
        continue;
      }
      if (response.status === 429 || response.status === 408 || response.status >= 500) {
        await response.body?.cancel().catch(() => {});
        continue;
      }
      if (!this.#goesOn(response)) {
        await response.body?.cancel().catch(() => {});
        return false;
      }
      this.#reader = pieceReader(this.#url, response.body!);
      return true;
    }
    return false;
  }

  /** A weak tag is no promise of the same bytes. */
  #condition(): Record<string, string> {
    const { etag, lastModified } = this.#validators;
    const validator = etag && !etag.startsWith("W/") ? etag : etag ? undefined : lastModified;
    return validator ? { "if-range": validator } : {};
  }

  /** Whether an answer is the rest of the same file. @throws ChangedError */
  #goesOn(response: Response): boolean {
    if (!response.body || response.headers.has("content-encoding")) return false;
    const { etag, lastModified } = validatorsOf(response);
    const known = this.#validators;
    const partial = response.status === 206;
    const range = partial ? rangeOf(response) : undefined;
    const total = partial ? range?.total : announcedLength(response);
    const another =
      (known.etag !== undefined && etag !== undefined && etag !== known.etag) ||
      (known.lastModified !== undefined && lastModified !== undefined && lastModified !== known.lastModified) ||
      (this.byteLength !== undefined && total !== undefined && total !== this.byteLength);
    if (another && response.ok) {
      throw new ChangedError(`${this.#url}: was changed on the server while it was loaded`);
    }
    if (partial) return range?.start === this.#position;
    // The server knows no ranges: the same file once more, if that is sure.
    const sure = known.etag !== undefined ? etag === known.etag : known.lastModified !== undefined && !!lastModified;
    if (response.status !== 200 || !sure) return false;
    this.#skip = this.#position;
    return true;
  }
}

function validatorsOf({ headers }: Response): Validators {
  return { etag: headers.get("etag") ?? undefined, lastModified: headers.get("last-modified") ?? undefined };
}

/** Where a partial answer begins, and how long the whole is. */
export function rangeOf({ headers }: Response): { start: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  return match ? { start: Number(match[1]), total: match[2] === "*" ? undefined : Number(match[2]) } : undefined;
}

/** @throws the signal's reason as soon as it is aborted */
function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
