/** Documents that were read for the AI SDK, each once, for all calls that name the same: bounded in bytes, the least recently used go first. */
import type { Model, Session } from "../index.ts";
import type { DocumentOption } from "./prompt.ts";

/** Sessions that hold a document. */
export class Documents {
  readonly #model: Model;
  readonly #maxBytes: number;
  /** By what was read and how; the least recently used first. */
  readonly #read = new Map<string, Session>();

  constructor(model: Model, maxBytes: number) {
    this.#model = model;
    this.#maxBytes = maxBytes;
  }

  /**
   * A session that holds a document and nothing behind it, to be disposed by the caller.
   * @throws ArgumentError for options of reading that cannot be; what the signal gives when aborted
   */
  async open(
    { text, questions, budget, chunkLength }: DocumentOption,
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    const key = JSON.stringify([text, questions, budget, chunkLength]);
    let session = this.#read.get(key);
    if (!session) {
      session = this.#model.createSession();
      try {
        await session.read(text, { questions, budget, chunkLength, signal });
      } catch (error) {
        session.dispose();
        throw error;
      }
      // Where two calls read it at the same time, one reading is enough to keep.
      this.#read.get(key)?.dispose();
    }
    this.#read.delete(key);
    this.#read.set(key, session);
    const fork = session.fork();
    this.#shrink();
    return fork;
  }

  dispose(): void {
    for (const session of this.#read.values()) session.dispose();
    this.#read.clear();
  }

  #shrink(): void {
    let bytes = 0;
    for (const { byteLength } of this.#read.values()) bytes += byteLength;
    for (const [key, session] of this.#read) {
      if (bytes <= this.#maxBytes) return;
      bytes -= session.byteLength;
      session.dispose();
      this.#read.delete(key);
    }
  }
}
