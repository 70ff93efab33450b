/** Conversations that were read before, whose beginnings others share by forking: bounded in bytes, the least recently used go first. */
import type { Message, Model, Session } from "../index.ts";

interface Kept {
  readonly session: Session;
  /** What the conversation holds, each as text: the tools, then message after message. */
  readonly parts: readonly string[];
  readonly bytes: number;
}

/** Sessions of conversations. */
export class Prefixes {
  readonly #model: Model;
  readonly #maxBytes: number;
  /** The least recently used first. */
  readonly #kept = new Set<Kept>();
  #bytes = 0;

  constructor(model: Model, maxBytes: number) {
    this.#model = model;
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the caches that are kept; pages that forks share count for each. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** A session that holds as much of the conversation's beginning as any that was kept, to be disposed or kept by the caller. */
  take(messages: readonly Message[], tools: readonly object[] | undefined): Session {
    const parts = partsOf(messages, tools);
    let best: Kept | undefined;
    let most = 1;
    for (const kept of this.#kept) {
      const same = common(kept.parts, parts);
      if (same > most) [best, most] = [kept, same];
    }
    if (!best) return this.#model.createSession();
    this.#kept.delete(best);
    this.#kept.add(best);
    return best.session.fork();
  }

  /** Keeps a session, and lets go of what it goes on from and of what is too much. */
  keep(session: Session, messages: readonly Message[], tools: readonly object[] | undefined): void {
    const kept = { session, parts: partsOf(messages, tools), bytes: session.byteLength };
    for (const other of this.#kept) {
      if (common(other.parts, kept.parts) === other.parts.length) this.#drop(other);
    }
    this.#kept.add(kept);
    this.#bytes += kept.bytes;
    for (const oldest of this.#kept) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  dispose(): void {
    for (const kept of this.#kept) this.#drop(kept);
  }

  #drop(kept: Kept): void {
    this.#kept.delete(kept);
    this.#bytes -= kept.bytes;
    kept.session.dispose();
  }
}

function partsOf(messages: readonly Message[], tools: readonly object[] | undefined): string[] {
  return [tools ?? [], ...messages].map((part) => JSON.stringify(part));
}

function common(one: readonly string[], other: readonly string[]): number {
  let same = 0;
  while (same < one.length && same < other.length && one[same] === other[same]) same++;
  return same;
}
