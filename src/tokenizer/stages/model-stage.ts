/** The last stage: pieces become tokens, long ones window by window. */
import { longestShort, type PieceModel } from "../models/piece-model.ts";
import type { TokenList } from "../tokens.ts";
import { Stage, type StageState } from "./stage.ts";

/** Pieces that are not complete are looked at once they are this long, and again when they have doubled. */
const firstLook = 2048;

/** What waits its turn: text of a piece, or a token. */
type Waiting = { text: string; from: number; to: number; ends: boolean } | number;

export class ModelStage extends Stage {
  /** Windows of long pieces that may be worked on before `busy` says so. */
  patience = Number.POSITIVE_INFINITY;
  readonly #model: PieceModel;
  readonly #out: TokenList;
  /** What is left of the current piece. */
  #held = "";
  #at = 0;
  /** Whether nothing of the current piece has become tokens. */
  #isFirst = true;
  /** Whether the current piece is complete. */
  #ended = false;
  /** Length that the piece has to reach before it is looked at again. */
  #nextLook = firstLook;
  /** Whether patience ended amid work. */
  #stalled = false;
  readonly #queue: Waiting[] = [];

  constructor(model: PieceModel, out: TokenList) {
    super(undefined);
    this.#model = model;
    this.#out = out;
  }

  /** Whether work is left that `resume` goes on with. */
  get busy(): boolean {
    return this.#stalled;
  }

  override push(text: string, from: number, to: number, ends: boolean): void {
    if (this.busy) this.#queue.push({ text: text.slice(from, to), from: 0, to: to - from, ends });
    else if (ends && this.#held === "" && this.#isFirst && to - from <= longestShort) {
      if (from < to) this.#model.encodeShort(text, from, to, this.#out);
    } else this.#take(text, from, to, ends);
  }

  override token(id: number): void {
    if (this.busy) this.#queue.push(id);
    else this.#out.push(id);
  }

  override settle(): void {
    if (!this.busy && this.#held !== "") this.#advance(true);
  }

  override goOn(): void {
    this.#isFirst = false;
  }

  /** Goes on where patience ended. */
  resume(): void {
    this.#stalled = false;
    this.#advance(false);
    while (!this.#stalled && this.#queue.length > 0) {
      const next = this.#queue.shift()!;
      if (typeof next === "number") this.#out.push(next);
      else this.#take(next.text, next.from, next.to, next.ends);
    }
  }

  #take(text: string, from: number, to: number, ends: boolean): void {
    this.#held = this.#held.slice(this.#at) + text.slice(from, to);
    this.#at = 0;
    this.#ended = ends;
    this.#advance(false);
  }

  /** Puts out what is certain of the current piece. */
  #advance(settles: boolean): void {
    const model = this.#model;
    const held = this.#held;
    let { window } = model;
    while (this.#at < held.length) {
      const left = held.length - this.#at;
      if (!this.#ended && !settles && left < this.#nextLook) return;
      if (this.patience <= 0) {
        this.#stalled = true;
        return;
      }
      const isLast = this.#ended && left <= window;
      let end = Math.min(this.#at + window, held.length);
      // No window ends between the halves of a character.
      if (end < held.length && held.charCodeAt(end) >>> 10 === 0x37) end--;
      const reached = model.advance(held, this.#at, end, this.#isFirst, isLast, this.#out);
      if (reached > this.#at) {
        this.patience--;
        this.#at = reached;
        this.#isFirst = false;
        window = model.window;
        this.#nextLook = firstLook;
      } else if (end < held.length) window *= 2;
      else {
        this.#nextLook = left * 2;
        return;
      }
    }
    this.#held = "";
    this.#at = 0;
    if (this.#ended) this.#isFirst = true;
    this.#ended = false;
    this.#nextLook = firstLook;
  }

  override get state(): StageState {
    return [this.#held.slice(this.#at), this.#isFirst];
  }

  override set state(state: StageState) {
    [this.#held, this.#isFirst] = state as [string, boolean];
    this.#at = 0;
  }
}
