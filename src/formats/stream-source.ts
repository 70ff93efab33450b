/** A stream as a source of bytes: forwards only, holding no more than the piece that arrived last. */
import { ArgumentError, FormatError, SiskinError, UnsupportedError } from "../errors.ts";
import { pause } from "../pause.ts";
import type { ByteStream } from "./given.ts";
import { type ByteSource, checkLimit } from "./source.ts";

/** A stream that is never short of pieces would otherwise keep timers and signals waiting to its end. */
const piecesBetweenPauses = 256;

/** Pieces of a file, one after another. */
export interface PieceReader {
  /** Undefined at the end. @throws whatever ends the connection */
  read(): Promise<unknown>;
  /** Lets go of the connection, at once: a read that waits may never be answered. */
  cancel(): void;
}

/** What is known of a stream beyond its bytes. */
export interface StreamOptions {
  /** Bytes in the whole stream; it is an error when it turns out shorter. */
  readonly byteLength?: number | undefined;
  /** Its reason is thrown, as it is, from reads after it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the stream over: it is locked, and cancelled by `close()`.
 *
 * @throws ArgumentError for a stream that somebody else reads
 */
export function streamSource(name: string, stream: ByteStream, options: StreamOptions = {}): ByteSource {
  return pieceSource(name, pieceReader(name, stream), options);
}

/**
 * The pieces of a web stream, by its reader (not every browser's can be iterated), or of any other that can.
 *
 * @throws ArgumentError for a stream that somebody else reads
 */
export function pieceReader(name: string, stream: ByteStream): PieceReader {
  const taken = () => new ArgumentError(`${name}: the stream is being read by somebody else`);
  if ("getReader" in stream) {
    if (stream.locked) throw taken();
    const reader = stream.getReader();
    return {
      read: async () => (await reader.read()).value,
      // A stream that has failed refuses to be cancelled.
      cancel: () => void reader.cancel().catch(() => {}),
    };
  }
  const { locked, destroyed, destroy } = stream as { locked?: boolean; destroyed?: boolean; destroy?: () => void };
  if (locked) throw taken();
  if (destroyed) throw new ArgumentError(`${name}: the stream has ended already`);
  const iterator = stream[Symbol.asyncIterator]();
  return {
    read: async () => {
      const { done, value } = await iterator.next();
      return done ? undefined : value;
    },
    cancel() {
      // What Node's streams wait for holds the process open until they are destroyed.
      if (typeof destroy === "function") destroy.call(stream);
      else iterator.return?.().catch(() => {});
    },
  };
}

/** A source over the pieces of a file. */
export function pieceSource(name: string, reader: PieceReader, options: StreamOptions = {}): ByteSource {
  const { byteLength, signal } = options;
  let rest = new Uint8Array(0);
  /** Offset of the first byte of `rest`. */
  let position = 0;
  let pieces = 0;

  /** Gets the next piece; false at the end of the stream. */
  async function advance(): Promise<boolean> {
    if (++pieces % piecesBetweenPauses === 0) await pause();
    signal?.throwIfAborted();
    let piece: unknown;
    try {
      piece = await reader.read();
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof SiskinError) throw cause;
      throw new UnsupportedError(`${name}: the connection was lost at byte ${position}`, { cause });
    }
    if (piece === undefined) return false;
    if (!ArrayBuffer.isView(piece)) throw new FormatError(name, "is a stream of something else than bytes");
    rest = new Uint8Array(piece.buffer as ArrayBuffer, piece.byteOffset, piece.byteLength);
    return true;
  }

  /** Takes up to `most` bytes off the piece at hand. */
  function take(most: number): Uint8Array<ArrayBuffer> {
    const taken = rest.subarray(0, most);
    rest = rest.subarray(taken.length);
    position += taken.length;
    return taken;
  }

  return {
    name,
    byteLength,
    seekable: false,
    async readInto(offset, target) {
      if (offset < position) {
        throw new ArgumentError(`${name}: a stream cannot go back from byte ${position} to ${offset}`);
      }
      const end = offset + target.length;
      while (position < end) {
        if (!rest.length && !(await advance())) {
          throw new FormatError(name, `ends early: ${byteLength ?? end} bytes are needed`, position);
        }
        if (position < offset) take(offset - position);
        else {
          const at = position - offset;
          target.set(take(end - position), at);
        }
      }
    },
    async readAll(limit) {
      const start = position;
      const taken: Uint8Array[] = [];
      do {
        checkLimit(name, position + rest.length, limit);
        if (rest.length) taken.push(take(rest.length));
      } while (await advance());
      if (byteLength !== undefined && position < byteLength) {
        throw new FormatError(name, `ends early: ${byteLength} bytes are needed`, position);
      }
      const whole = new Uint8Array(position - start);
      let at = 0;
      for (const piece of taken) {
        whole.set(piece, at);
        at += piece.length;
      }
      return whole;
    },
    async close() {
      reader.cancel();
    },
  };
}
