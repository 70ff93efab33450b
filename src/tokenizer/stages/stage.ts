/** The steps of a tokenizer at work on one text that comes bit by bit, each handing on to the next what is certain. */

/** What a stage holds, as JSON has it. */
export type StageState = boolean | number | string | readonly StageState[];

/**
 * One step at work. Text comes in pieces: at first one for each stretch between added tokens, later the words it is split into. What a
 * stage cannot decide before it has seen more, it holds.
 */
export abstract class Stage {
  protected readonly next: Stage;

  /** @param next undefined for the last stage only */
  constructor(next: Stage | undefined) {
    this.next = next ?? this;
  }

  /**
   * More of the current piece: the units from `from` to before `to`, possibly none.
   *
   * @param ends whether the piece ends behind them
   * @param atOrigin whether the first of them is the first of the whole text, nothing having been taken away before it
   */
  abstract push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void;

  /** An added token, between two pieces. */
  token(id: number): void {
    this.next.token(id);
  }

  /** Hands on all that is certain, however little it is. */
  settle(): void {
    this.next.settle();
  }

  /** Hands on what a normalizer holds, as if nothing that follows could change it. */
  release(): void {}

  /** What comes first goes on with a piece that was begun elsewhere. */
  goOn(): void {
    this.next.goOn();
  }

  /** What is held, to go on from in another stage of the same step. */
  abstract get state(): StageState;
  abstract set state(state: StageState);
}

/** A step of a tokenizer: makes the stage that does its work on one text. */
export type Step = (next: Stage) => Stage;

/** Hands on every stretch of text as a function changes it, whatever stands around. */
export class MapStage extends Stage {
  readonly #change: (text: string) => string;

  constructor(next: Stage, change: (text: string) => string) {
    super(next);
    this.#change = change;
  }

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    const changed = this.#change(text.slice(from, to));
    // What is left of a text that loses its beginning does not begin it.
    const begins = atOrigin && this.#change(String.fromCodePoint(text.codePointAt(from) ?? 0)) !== "";
    this.next.push(changed, 0, changed.length, ends, begins);
  }

  override get state(): StageState {
    return false;
  }

  override set state(_: StageState) {}
}

/** Puts something before every piece. */
interface Prefix {
  readonly prefix: string;
  /** A piece that begins with this is left as it is. */
  readonly unless?: string;
  /** Whether only the beginning of the text gets it. */
  readonly onlyAtOrigin?: boolean;
}

export class PrefixStage extends Stage {
  readonly #options: Prefix;
  #begun = false;

  constructor(next: Stage, options: Prefix) {
    super(next);
    this.#options = options;
  }

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    const { prefix, unless, onlyAtOrigin } = this.#options;
    const begins = !this.#begun && from < to;
    this.#begun = !ends && (this.#begun || from < to);
    if (begins && !(unless !== undefined && text.startsWith(unless, from)) && (!onlyAtOrigin || atOrigin)) {
      const whole = prefix + text.slice(from, to);
      this.next.push(whole, 0, whole.length, ends, atOrigin);
    } else this.next.push(text, from, to, ends, atOrigin);
  }

  override goOn(): void {
    this.#begun = true;
    super.goOn();
  }

  override get state(): StageState {
    return this.#begun;
  }

  override set state(state: StageState) {
    this.#begun = state === true;
  }
}

/** Cuts white space off a piece's ends. */
export class StripStage extends Stage {
  readonly #left: boolean;
  readonly #right: boolean;
  #begun = false;
  #held = "";
  /** Whether what is held, or comes next, begins the text. */
  #atOrigin = false;

  constructor(next: Stage, left: boolean, right: boolean) {
    super(next);
    this.#left = left;
    this.#right = right;
  }

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    let start = from;
    if (!this.#begun && this.#left) while (start < to && isWhiteSpace(text.charCodeAt(start))) start++;
    let end = to;
    if (this.#right) while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--;
    if (this.#held === "" && from < to) this.#atOrigin = atOrigin && start === from;
    if (end > start) {
      const whole = this.#held + text.slice(start, end);
      this.#held = "";
      this.#begun = true;
      this.next.push(whole, 0, whole.length, false, this.#atOrigin);
      this.#atOrigin = false;
    }
    this.#held += text.slice(end, to);
    if (!ends) return;
    this.next.push("", 0, 0, true, false);
    this.#held = "";
    this.#begun = false;
  }

  override goOn(): void {
    this.#begun = true;
    super.goOn();
  }

  override get state(): StageState {
    return [this.#begun, this.#held, this.#atOrigin];
  }

  override set state(state: StageState) {
    [this.#begun, this.#held, this.#atOrigin] = state as [boolean, string, boolean];
  }
}

/** Whether a UTF-16 unit is white space as Unicode has it: with U+0085, without U+FEFF. */
export function isWhiteSpace(unit: number): boolean {
  if (unit < 0x80) return unit === 32 || (unit >= 9 && unit <= 13);
  return (
    unit === 0x85 ||
    unit === 0xa0 ||
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  );
}
