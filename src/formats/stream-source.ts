/** A web stream as a source of bytes: forwards only, holding no more than the piece that arrived last. */
import { ArgumentError, FormatError, UnsupportedError } from "../errors.ts";
import { pause } from "../pause.ts";
import { type ByteSource, checkLimit } from "./source.ts";

/** A stream that is never short of pieces would otherwise keep timers and signals waiting to its end. */
const piecesBetweenPauses = 256;

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
export function streamSource(
  name: string,
  stream: ReadableStream<Uint8Array>,
  options: StreamOptions = {},
): ByteSource {
  if (stream.locked) throw new ArgumentError(`${name}: the stream is being read by somebody else`);
  const { byteLength, signal } = options;
  const reader = stream.getReader();
  let rest = new Uint8Array(0);
  /** Offset of the first byte of `rest`. */
  let position = 0;
  let pieces = 0;

  /** Gets the next piece; false at the end of the stream. */
  async function advance(): Promise<boolean> {
    if (++pieces % piecesBetweenPauses === 0) await pause();
    signal?.throwIfAborted();
    let result: ReadableStreamReadResult<Uint8Array>;
    try {
      result = await reader.read();
    } catch (cause) {
      signal?.throwIfAborted();
      throw new UnsupportedError(`${name}: the connection was lost at byte ${position}`, { cause });
    }
    if (result.done) return false;
    if (!ArrayBuffer.isView(result.value)) throw new FormatError(name, "is a stream of something else than bytes");
    rest = new Uint8Array(result.value.buffer as ArrayBuffer, result.value.byteOffset, result.value.byteLength);
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
      // A stream that has failed refuses to be cancelled; what holds one that never answers is not ours to wait for.
      reader.cancel().catch(() => {});
    },
  };
}
