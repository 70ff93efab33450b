/** What `siskin chat` talks with: a session and its messages, which documents and capsules begin anew. */
import { SiskinError } from "../errors.ts";
import type { ChatOptions, Model, Session } from "../index.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import { readBytes, writeBytes } from "./files.ts";
import { type HeatMap, heatMap } from "./heat-map.ts";
import { textOf } from "./text-files.ts";

/** A conversation at the command line. */
export class TerminalConversation {
  readonly #model: Model;
  readonly #options: ChatOptions;
  readonly #system: readonly Message[];
  #session: Session;
  /** What was read before the conversation: a document, or a capsule. */
  #read: Session;
  #messages: Message[];
  #map: HeatMap | undefined;

  /** @param system what the model is told before everything else */
  constructor(model: Model, options: ChatOptions, system: string | undefined) {
    this.#model = model;
    this.#options = options;
    this.#system = system === undefined ? [] : [{ role: "system", content: system }];
    this.#session = model.createSession();
    this.#read = this.#session.fork();
    this.#messages = [...this.#system];
  }

  /** What heads kept of the document that was read. */
  get kept(): HeatMap | undefined {
    return this.#map;
  }

  /**
   * Answers; what was shown of the answer stays in the conversation, even when it is broken off.
   * @throws as `session.chat`: the message is then forgotten
   */
  async *say(content: string, signal: AbortSignal): AsyncGenerator<string, void, void> {
    const asked = [...this.#messages, { role: "user", content }];
    let answer = "";
    try {
      for await (const piece of this.#session.chat(asked, { ...this.#options, signal })) {
        answer += piece;
        yield piece;
      }
    } finally {
      if (answer !== "") this.#messages = [...asked, { role: "assistant", content: answer }];
    }
  }

  /** Begins a conversation about a file. @returns tokens of it, and what a reader should know about how it was read */
  async read(path: string, budget: number, signal: AbortSignal): Promise<{ tokens: number; note: string | undefined }> {
    const { text, note } = await textOf(await readBytes(path), path);
    const tokens = this.#model.tokenizer.encode(text);
    if (tokens.length === 0) throw new SiskinError(`${path} is empty`);
    const session = this.#model.createSession();
    try {
      await session.read(text, { budget, signal });
    } catch (error) {
      session.dispose();
      throw error;
    }
    this.#begin(session, []);
    this.#map = heatMap(session, tokens);
    return { tokens: tokens.length, note };
  }

  /** Keeps what was read, without the conversation. @throws SiskinError where nothing was */
  async save(path: string): Promise<void> {
    if (this.#read.absolutePosition === 0)
      throw new SiskinError("There is nothing to keep: read a document by /file PATH");
    await writeBytes(path, this.#read.save());
  }

  /** Begins a conversation about what a capsule holds. */
  async open(path: string): Promise<void> {
    this.#begin(this.#model.openSession(await readBytes(path)), []);
  }

  /** Begins anew. */
  clear(): void {
    this.#begin(this.#model.createSession(), [...this.#system]);
  }

  #begin(session: Session, messages: Message[]): void {
    this.#session.dispose();
    this.#read.dispose();
    this.#session = session;
    this.#read = session.fork();
    this.#messages = messages;
    this.#map = undefined;
  }
}
