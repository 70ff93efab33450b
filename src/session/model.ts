/** A loaded model: its configuration, tokenizer, weights and sessions. */
import type { Core } from "../core/core.ts";
import { disposeSymbol } from "../dispose.ts";
import { ArgumentError } from "../errors.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Engine, ModelMemory } from "../model/engine.ts";
import type { GenerationDefaults } from "../model/generation-config.ts";
import type { TensorSummary } from "../model/tensor-summary.ts";
import { checkOptions } from "../options.ts";
import { show } from "../show.ts";
import type { Frame } from "../tokenizer/prompt-frame.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { readCapsule } from "./capsule.ts";
import { Session, type SessionOptions } from "./session.ts";

/** Made by `loadModel`. Its memory is given back to the runtime once it is disposed and unreachable. */
export class Model {
  readonly #engine: Engine;
  /** The sessions that live, to be disposed with the model. */
  readonly #sessions = new Set<Session>();

  /** @internal For `loadModel`. */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get name(): string {
    return this.#engine.name;
  }

  get config(): ModelConfig {
    return this.#engine.config;
  }

  /** What kinds of tensors the model came with and how they are held. */
  get tensors(): readonly TensorSummary[] {
    return this.#engine.tensors;
  }

  /** @throws FormatError saying what is missing, where the model came without one; then tokens can be read, and no text */
  get tokenizer(): Tokenizer {
    return this.#engine.tokenizer;
  }

  /** How the model's files say that tokens should be drawn, where a caller does not. */
  get generationDefaults(): GenerationDefaults {
    return this.#engine.generationDefaults;
  }

  /**
   * What stands before a document and after a question.
   * @throws ArgumentError with the template's own words when the model's chat template refuses a document as a user's message; FormatError
   * when it cannot be parsed, fails or does not write the message as it is. Then the model is still good for all that needs no template.
   */
  get frame(): Frame {
    return this.#engine.frame;
  }

  /** @deprecated until 1.0: `frame` */
  get prompt(): Frame {
    return this.frame;
  }

  /** Threads that compute, the calling one included. @throws DisposedError */
  get threads(): number {
    return this.#engine.threads;
  }

  /**
   * Why one thread computes although `threads: "auto"` would have taken more: no isolation of the page, a worker that
   * could not be started, a core that was given, one processor. Else undefined.
   * @throws DisposedError
   */
  get singleThreadReason(): string | undefined {
    return this.#engine.singleThreadReason;
  }

  /** @throws DisposedError */
  get memory(): ModelMemory {
    return this.#engine.memory;
  }

  /**
   * What identifies the model in capsules: a hash of its configuration and a sample of every weight tensor in the form
   * it is held in, 16 hexadecimal digits. An integrity check, not a cryptographic one.
   * @throws DisposedError
   */
  get fingerprint(): string {
    return this.#engine.fingerprint;
  }

  /** @internal The core that holds the weights, for tests of its books. */
  get core(): Core {
    return this.#engine.core;
  }

  /** @internal What computes, for tests and measurements of its parts. */
  get engine(): Engine {
    return this.#engine;
  }

  /** A session with an empty cache. @throws ArgumentError for a scheme or context size that cannot be */
  createSession(options: SessionOptions = {}): Session {
    checkOptions(options, ["scheme", "cache", "contextSize", "window"], "createSession");
    const { scheme = "contiguous", cache: form = "f32" } = options;
    const contextSize = options.contextSize ?? options.window ?? this.config.maxPositions;
    if (scheme !== "contiguous" && scheme !== "original") {
      throw new ArgumentError(`scheme should be "contiguous" or "original" and is ${show(scheme)}`);
    }
    if (form !== "f32" && form !== "q8") {
      throw new ArgumentError(`cache should be "f32" or "q8" and is ${show(form)}`);
    }
    checkContextSize(contextSize);
    return new Session(this.#engine, this.#sessions, this.#engine.createCache(form, scheme), contextSize);
  }

  /**
   * Opens what `session.save()` gave: a session that goes on, bit for bit, as the saved one would.
   * @param options.contextSize positions that may be used, where that should not be the saved session's; beyond the model's own
   * window only when it is asked for here
   * @throws FormatError for bytes that are no capsule, truncated, altered, of a newer version or of another model;
   * MemoryError. Nothing stays allocated then.
   */
  openSession(bytes: Uint8Array | ArrayBuffer, options: Pick<SessionOptions, "contextSize" | "window"> = {}): Session {
    checkOptions(options, ["contextSize", "window"], "openSession");
    const lifted = options.contextSize ?? options.window;
    if (lifted !== undefined) checkContextSize(lifted);
    const engine = this.#engine;
    const { layers, kvHeads, maxPositions } = engine.config;
    const state = readCapsule(asBytes(bytes), engine.fingerprint, {
      layers,
      kvHeads,
      hiddenWidth: engine.hiddenWidth,
      pageBytes: (form) => engine.pageBytes(form),
      documentEnd(value) {
        // Behind the fingerprint: a model without a tokenizer has no such capsules.
        return (engine.frameForTokens ?? engine.frame).checkedEnd(value);
      },
      contextSize: maxPositions,
      lifted,
    });
    const cache = engine.createCache(state.form, state.scheme);
    try {
      cache.restore(state.heads, state.absolutePosition, state.textLength);
    } catch (error) {
      cache.dispose();
      throw error;
    }
    return new Session(engine, this.#sessions, cache, state.contextSize, state);
  }

  /** Disposes every session, ends the worker threads and lets go of the memory. Using the model afterwards throws DisposedError. */
  dispose(): void {
    for (const session of [...this.#sessions]) session.dispose();
    this.#engine.dispose();
  }

  /** For `using`. */
  [disposeSymbol](): void {
    this.dispose();
  }
}

/** @throws ArgumentError for no positive whole number, or infinity */
function checkContextSize(contextSize: unknown): void {
  if ((Number.isInteger(contextSize) && (contextSize as number) >= 1) || contextSize === Number.POSITIVE_INFINITY)
    return;
  throw new ArgumentError(`contextSize cannot be ${show(contextSize)}`);
}

/** @throws ArgumentError for what is no bytes */
function asBytes(bytes: unknown): Uint8Array {
  if (ArrayBuffer.isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (Object.prototype.toString.call(bytes) === "[object ArrayBuffer]") return new Uint8Array(bytes as ArrayBuffer);
  throw new ArgumentError(`A capsule is bytes, and this is ${show(bytes)}`);
}
