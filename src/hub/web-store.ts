/** The cache of a page: files of the Hub in the browser's Cache storage, cut in pieces, so that a download goes on after a restart. */
import { UnsupportedError } from "../errors.ts";
import { type ByteSource, checkEnd, checkLimit } from "../formats/source.ts";
import { commitOf, type HubFile, type HubListing } from "./client.ts";
import { directStore } from "./direct-store.ts";
import { type Digest, type DownloadTarget, download } from "./download.ts";
import type { HubStore } from "./open.ts";

/** Bytes of every piece but the last. */
const PIECE = 4 << 20;

/** @param cache of this origin @param endpoint of the Hub @param createDigest a SHA-256 */
export function webStore(cache: Cache, endpoint: string, createDigest: () => Digest): HubStore {
  /** Files for which the browser has no room. */
  const direct = new Set<string>();
  const pieces = (listing: HubListing, { etag }: HubFile) =>
    new Pieces(cache, `${endpoint}/${listing.repository}/blobs/${etag}`);
  const listingKey = (repository: string, revision: string) =>
    `${endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`;
  return {
    keeps: true,
    async cached({ repository, revision }) {
      const found = await (await cache.match(listingKey(repository, revision)))?.json().catch(() => undefined);
      return commitOf(found?.commit) && Array.isArray(found.files) ? (found as HubListing) : undefined;
    },
    async remember({ repository, revision }, listing) {
      // A browser without room for this has none for the model either.
      await cache.put(listingKey(repository, revision), Response.json(listing)).catch(() => {});
    },
    async holds(listing, file) {
      return direct.has(file.etag!) || (await pieces(listing, file).byteLength()) !== undefined;
    },
    async fetch(access, listing, file, onBytes) {
      const kept = pieces(listing, file);
      const target = await kept.target();
      try {
        await download(access, listing, file, target, createDigest, onBytes);
        await target.end();
      } catch (error) {
        if (!(error instanceof NoRoom)) throw error;
        await target.clear();
        direct.add(file.etag!);
      }
    },
    async open(access, listing, file) {
      if (direct.has(file.etag!)) return directStore.open(access, listing, file);
      const kept = pieces(listing, file);
      const byteLength = await kept.byteLength();
      if (byteLength === undefined) {
        throw new UnsupportedError(
          `${listing.repository}/${file.path}: is not in the cache, and the Hub does not answer`,
        );
      }
      return kept.source(file.path, byteLength);
    },
  };
}

/** The browser keeps no more. */
class NoRoom extends Error {}

/** A file in pieces under addresses of its own. */
class Pieces {
  readonly #cache: Cache;
  readonly #base: string;

  constructor(cache: Cache, base: string) {
    this.#cache = cache;
    this.#base = base;
  }

  /** Undefined where the file is not there as a whole. */
  async byteLength(): Promise<number | undefined> {
    const text = await (await this.#cache.match(this.#base))?.text();
    return text === undefined ? undefined : Number(text);
  }

  /** Goes on behind the pieces that are there. */
  async target(): Promise<DownloadTarget & { end(): Promise<void> }> {
    let count = 0;
    while ((await this.#piece(count))?.length === PIECE) count++;
    let fill = 0;
    const buffer = new Uint8Array(PIECE);
    const flush = async () => {
      await this.#put(`${this.#base}/${count}`, buffer.slice(0, fill));
      count++;
      fill = 0;
    };
    const byteLength = () => count * PIECE + fill;
    const piece = (index: number) => this.#piece(index);
    return {
      get byteLength() {
        return byteLength();
      },
      async *stored() {
        for (let index = 0; index < count; index++) yield (await piece(index))!;
      },
      async append(bytes) {
        for (let at = 0; at < bytes.length; ) {
          const taken = bytes.subarray(at, at + PIECE - fill);
          buffer.set(taken, fill);
          fill += taken.length;
          at += taken.length;
          if (fill === PIECE) await flush();
        }
      },
      clear: async () => {
        for (; count >= 0; count--) await this.#cache.delete(`${this.#base}/${count}`);
        count = 0;
        fill = 0;
      },
      end: async () => {
        const length = byteLength();
        if (fill > 0) await flush();
        await this.#put(this.#base, new TextEncoder().encode(String(length)));
      },
    };
  }

  /** The file as a source, which holds one piece. */
  source(name: string, byteLength: number): ByteSource {
    let held: { index: number; bytes: Uint8Array } | undefined;
    const readInto = async (offset: number, target: Uint8Array) => {
      checkEnd(name, byteLength, offset + target.length);
      for (let done = 0; done < target.length; ) {
        const index = Math.floor((offset + done) / PIECE);
        if (held?.index !== index) {
          const bytes = await this.#piece(index);
          if (!bytes) {
            // The next time it is fetched again.
            await this.#cache.delete(this.#base);
            throw new UnsupportedError(`${name}: a piece of it was taken out of the cache; load it again`);
          }
          held = { index, bytes };
        }
        const start = offset + done - index * PIECE;
        const part = held.bytes.subarray(start, start + target.length - done);
        if (part.length === 0) throw new UnsupportedError(`${name}: its piece in the cache is too short`);
        target.set(part, done);
        done += part.length;
      }
    };
    return {
      name,
      byteLength,
      seekable: true,
      readInto,
      async readAll(limit) {
        checkLimit(name, byteLength, limit);
        const whole = new Uint8Array(byteLength);
        await readInto(0, whole);
        return whole;
      },
      async close() {
        held = undefined;
      },
    };
  }

  async #piece(index: number): Promise<Uint8Array | undefined> {
    const response = await this.#cache.match(`${this.#base}/${index}`);
    return response && new Uint8Array(await response.arrayBuffer());
  }

  async #put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#cache.put(key, new Response(bytes)).catch((cause) => {
      throw new NoRoom("", { cause });
    });
  }
}
