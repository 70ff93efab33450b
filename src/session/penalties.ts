/** What makes a text repeat itself less: repetition, presence and frequency penalties, and DRY; and biases of single tokens. */

/** Don't Repeat Yourself (p-e-w, text-generation-webui 2024): the longer a repetition a token would go on, the less likely it becomes. */
export interface DryOptions {
  /** What a repetition of `allowedLength` tokens takes off a logit. */
  readonly multiplier: number;
  /** By how much more for each token further; default 1.75. */
  readonly base?: number | undefined;
  /** Tokens that may repeat freely; default 2. */
  readonly allowedLength?: number | undefined;
  /** A token that holds one of these ends a repetition; default a line's end, a colon, a quotation mark and an asterisk. */
  readonly sequenceBreakers?: readonly string[] | undefined;
}

/** The same, with every setting. */
export interface DrySettings {
  readonly multiplier: number;
  readonly base: number;
  readonly allowedLength: number;
  readonly sequenceBreakers: readonly string[];
}

/** Penalties that have been checked. */
export interface PenaltySettings {
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly dry: DrySettings | undefined;
  readonly logitBias: ReadonlyMap<number, number>;
}

/** Longer repetitions cost no more, and no more time. */
const LONGEST_REPETITION = 50;

/** Keeps what a text holds so far and changes the logits of what comes next. */
export class Penalties {
  readonly #settings: PenaltySettings;
  readonly #textOf: (token: number) => string;
  /** Prompt and answer. */
  readonly #context: number[];
  readonly #seen: Set<number>;
  /** How often a token stands in the answer. */
  readonly #counts = new Map<number, number>();
  readonly #breaks = new Map<number, boolean>();

  /**
   * @param prompt tokens before the answer: repetition penalty and DRY count them, presence and frequency penalties do not, as OpenAI's
   * @param textOf the text of a token
   */
  constructor(settings: PenaltySettings, prompt: ArrayLike<number>, textOf: (token: number) => string) {
    this.#settings = settings;
    this.#textOf = textOf;
    this.#context = Array.from(prompt);
    this.#seen = new Set(this.#context);
  }

  /** Takes a token for the next of the answer. */
  push(token: number): void {
    this.#context.push(token);
    this.#seen.add(token);
    this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
  }

  /** Changes the logits of the next token, [vocabulary], in place. */
  apply(logits: Float32Array): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, dry, logitBias } = this.#settings;
    for (const [token, bias] of logitBias) logits[token]! += bias;
    if (repetitionPenalty !== 1) {
      // CTRL (Keskar et al. 2019), as transformers has it.
      for (const token of this.#seen) {
        const logit = logits[token]!;
        logits[token] = logit < 0 ? logit * repetitionPenalty : logit / repetitionPenalty;
      }
    }
    if (presencePenalty !== 0 || frequencyPenalty !== 0) {
      for (const [token, count] of this.#counts) logits[token]! -= count * frequencyPenalty + presencePenalty;
    }
    if (dry && dry.multiplier > 0) this.#applyDry(logits, dry);
  }

  #applyDry(logits: Float32Array, { multiplier, base, allowedLength }: DrySettings): void {
    const context = this.#context;
    const end = context.length - 1;
    const newest = context[end];
    if (newest === undefined || this.#breaksSequence(newest)) return;
    /** For each token that once followed what stands at the end: how many tokens before it repeat. */
    const lengths = new Map<number, number>();
    for (let at = 0; at < end; at++) {
      if (context[at] !== newest) continue;
      let length = 1;
      while (length < LONGEST_REPETITION && length <= at) {
        const before = context[at - length]!;
        if (before !== context[end - length] || this.#breaksSequence(before)) break;
        length++;
      }
      const next = context[at + 1]!;
      lengths.set(next, Math.max(length, lengths.get(next) ?? 0));
    }
    for (const [token, length] of lengths) {
      if (length < allowedLength) continue;
      // Multiplied out, as powers differ from runtime to runtime.
      let penalty = multiplier;
      for (let more = allowedLength; more < length; more++) penalty *= base;
      logits[token]! -= penalty;
    }
  }

  #breaksSequence(token: number): boolean {
    let breaks = this.#breaks.get(token);
    if (breaks === undefined) {
      const text = this.#textOf(token);
      breaks = this.#settings.dry!.sequenceBreakers.some((breaker) => text.includes(breaker));
      this.#breaks.set(token, breaks);
    }
    return breaks;
  }
}
