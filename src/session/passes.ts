/** What a session holds, and the passes that change it: each happens as a whole or not at all. */

import type { KeyValueCache } from "../cache/cache.ts";
import { PAGE_ENTRIES } from "../cache/page-form.ts";
import { ArgumentError, ContextError } from "../errors.ts";
import type { Engine } from "../model/engine.ts";
import type { Room, Target } from "../press/budget.ts";
import type { ModelEntries, PassPress } from "../press/press.ts";
import { selectAll } from "../press/tools/choose.ts";
import type { DocumentEnd } from "../tokenizer/prompt-frame.ts";
import { noTokens } from "../tokenizer/tokens.ts";
import { keepSelected, type Ongoing, stepOngoing, viewCache } from "./compress.ts";
import type { Forgetting } from "./endless.ts";
import { Recorder } from "./recorder.ts";

/** Tokens of text run through the layers at once. */
const MAXIMUM_ROWS = 512;
/** Positions of the text are held in 32 bits. */
export const LAST_POSITION = 2 ** 31 - 1;

/** What a pass is compressed with. */
interface Compression {
  readonly press: PassPress;
  readonly target: Target;
}

/** A cache, the way of a press that goes on compressing it, and what the next token is drawn from. */
export class Passes {
  readonly engine: Engine;
  readonly cache: KeyValueCache;
  /** Positions that may be used. */
  readonly contextSize: number;
  /** A press that goes on compressing after every pass. */
  ongoing: Ongoing | undefined;
  /** The last layer's output of the last token read: what its logits are made of. None after `read`. */
  hiddenState: Float32Array | undefined;
  /** How the document ended that was read last, and how many tokens had been read then. */
  #documentEnd: { end: DocumentEnd; position: number } | undefined;
  readonly #checkLive: () => void;

  /** @param checkLive throws when the session was disposed, which a press may do */
  constructor(engine: Engine, cache: KeyValueCache, contextSize: number, checkLive: () => void) {
    this.engine = engine;
    this.cache = cache;
    this.contextSize = contextSize;
    this.#checkLive = checkLive;
  }

  /** How the document ended that was read last; undefined where that is not known, or something was read after it. */
  get documentEnd(): DocumentEnd | undefined {
    return this.#documentEnd?.position === this.cache.absolutePosition ? this.#documentEnd.end : undefined;
  }

  set documentEnd(end: DocumentEnd | undefined) {
    this.#documentEnd = end && { end, position: this.cache.absolutePosition };
  }

  /** Tokens of that end which are not in the cache, as what follows could join them: they come before whatever is read next. */
  get heldBack(): Int32Array {
    const frame = this.documentEnd && this.engine.frameForTokens;
    return frame?.goOn(this.documentEnd).head ?? noTokens;
  }

  /** Where a budget is to hold. */
  get room(): Room {
    const { layers, kvHeads, pageBytes, byteLength, pages } = this.cache;
    return {
      layers,
      kvHeads,
      pageBytes,
      pageEntries: PAGE_ENTRIES,
      tableBytes: byteLength - pages.length * pageBytes,
    };
  }

  /** @throws ContextError where the window does not hold so many tokens more */
  checkRoom(count: number): void {
    const { cache, contextSize } = this;
    const used = cache.scheme === "contiguous" ? cache.longest : cache.absolutePosition;
    if (used + count > contextSize) {
      throw new ContextError(
        `${count} tokens behind ${used} exceed the window of ${contextSize} positions; compress, or read the text in chunks`,
      );
    }
    if (cache.absolutePosition + count > LAST_POSITION) {
      throw new ContextError(`A session reads ${LAST_POSITION} tokens at most`);
    }
  }

  /**
   * Runs tokens through the model, makes them part of the cache and compresses.
   * @param tokens checked ones, at least one
   * @param ongoing what goes on compressing after this pass and later ones
   * @param each hears of every batch: its logits, [rows, vocabulary], the first row's place and the rows
   * @returns logits of the last token, [vocabulary]
   */
  pass(
    tokens: Int32Array,
    compression?: Compression | undefined,
    ongoing: Ongoing | undefined = this.ongoing,
    each?: (logits: Float32Array, first: number, count: number) => void,
  ): Float32Array {
    const { engine, cache } = this;
    const { core, config, decoder } = engine;
    this.checkRoom(tokens.length);
    const rows = Math.max(compression?.press.needs?.queryRows ?? 0, ongoing?.press.needs?.queryRows ?? 0);
    const recorder = new Recorder(core, config, rows > 0 ? ["queries"] : [], tokens.length, rows);
    const work = () => {
      let count = 0;
      let logits: Float32Array = new Float32Array(0);
      for (let first = 0; first < tokens.length; first += count) {
        const text = tokens.subarray(first, first + MAXIMUM_ROWS);
        count = text.length;
        const wanted = each ? { first: 0, count } : { first: count - 1, count: 1 };
        const rows = each || first + count === tokens.length ? wanted : undefined;
        recorder.batch(first, count, (record) => {
          logits = decoder.forward(cache, { text, record, logits: rows });
        });
        each?.(logits, first, count);
      }
      const hiddenState = decoder.hiddenState(count - 1);
      if (each) logits = logits.slice(-config.vocabularySize);
      if (!compression && !ongoing) return { hiddenState, logits, ongoing };
      const view = viewCache(engine, cache, tokens, recorder);
      if (compression) this.#keepChosen(compression, view);
      return { hiddenState, logits, ongoing: ongoing && stepOngoing(engine, cache, this.#checkLive, ongoing, view) };
    };
    // Where two presses compress, the second may fail when the first has dropped entries.
    const done = cache.attempt(work, compression !== undefined && ongoing !== undefined);
    this.hiddenState = done.hiddenState;
    this.ongoing = done.ongoing;
    return done.logits;
  }

  /** Compresses what is there. */
  compress(compression: Compression): void {
    const { core, config } = this.engine;
    const view = viewCache(this.engine, this.cache, new Int32Array(0), new Recorder(core, config, [], 0));
    this.#keepChosen(compression, view);
  }

  #keepChosen({ press, target }: Compression, view: ModelEntries): void {
    const selections = selectAll(press, view, target);
    this.#checkLive();
    keepSelected(this.engine, this.cache, selections);
  }

  /** Compresses if so many tokens more would be too many. */
  forget({ press, target, most, every }: Forgetting, count: number): void {
    if (this.cache.longest + count > most + every) this.compress({ press, target });
  }

  /** A pass over a text of any length: in pieces, before each of which as much is forgotten as must be. */
  passForgetting(tokens: Int32Array, forgetting: Forgetting): Float32Array {
    const { hiddenState, ongoing } = this;
    try {
      return this.cache.attempt(() => {
        let logits: Float32Array = new Float32Array(0);
        for (let first = 0; first < tokens.length; first += forgetting.every) {
          const piece = tokens.subarray(first, first + forgetting.every);
          this.forget(forgetting, piece.length);
          logits = this.pass(piece);
        }
        return logits;
      }, true);
    } catch (error) {
      this.hiddenState = hiddenState;
      this.ongoing = ongoing;
      throw error;
    }
  }

  /** Logits of the last token read, once more. @throws ArgumentError where they are not known */
  lastLogits(): Float32Array {
    if (this.hiddenState) return this.engine.decoder.logitsOf(this.hiddenState);
    throw new ArgumentError("There is no token to go on from: give a text, or read one by prefill, decode or generate");
  }

  /**
   * Takes back the newest tokens, unless compression has dropped some of them.
   * @param last the token before them, to be read again for its hidden state; undefined: that state is given
   */
  takeBack(count: number, last: number | undefined, hiddenState: Float32Array | undefined): void {
    if (count === 0 || !this.cache.dropNewest(count + (last === undefined ? 0 : 1))) return;
    this.hiddenState = hiddenState;
    if (last !== undefined) this.pass(Int32Array.of(last));
  }
}
