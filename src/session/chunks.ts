/** A document's pieces as chunks of tokens, heard of at once when the reading is stopped. */
import { pauses } from "../pause.ts";

/**
 * Cuts pieces of any length into chunks of `length`. The last may be shorter, but where it would hold less than `least`
 * tokens, the last two share what there is.
 * @param signal its reason is thrown as soon as it is aborted, though a piece be waited for
 */
export async function* chunksOf(
  pieces: AsyncIterable<Int32Array>,
  { length, least, signal }: { length: number; least: number; signal: AbortSignal },
): AsyncGenerator<Int32Array> {
  // A chunk is passed on when what follows it is long enough for another.
  const held = new Int32Array(length + Math.min(least, length));
  let filled = 0;
  for await (const piece of heard(pieces, signal)) {
    for (let from = 0; from < piece.length; ) {
      const part = piece.subarray(from, from + held.length - filled);
      held.set(part, filled);
      filled += part.length;
      from += part.length;
      if (filled === held.length) {
        yield held.slice(0, length);
        held.copyWithin(0, length);
        filled -= length;
      }
    }
  }
  if (filled > length) {
    const first = Math.ceil(filled / 2);
    yield held.slice(0, first);
    held.copyWithin(0, first, filled);
    filled -= first;
  }
  if (filled > 0) yield held.slice(0, filled);
}

/** The same pieces; ends with the signal's reason when it is aborted, and lets events be heard. */
async function* heard<T>(pieces: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = pieces[Symbol.asyncIterator]();
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
  });
  stopped.catch(() => {});
  signal.addEventListener("abort", stop);
  let ended = false;
  const breathe = pauses();
  try {
    for (;;) {
      signal.throwIfAborted();
      const result = await Promise.race([iterator.next(), stopped]);
      ended = result.done === true;
      if (result.done) return;
      yield result.value;
      // A source that always has a piece at hand would let no event through.
      await breathe();
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // Not waited for: a source that stalls never answers.
    if (!ended) iterator.return?.().catch(() => {});
  }
}
