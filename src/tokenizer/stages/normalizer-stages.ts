/** Normalizers that look at more than one character: replacing what a pattern matches, and Unicode's normal forms. */
import { SearchStage, type Split } from "./split-stage.ts";
import { Stage, type StageState } from "./stage.ts";

// What a normalizer may write: some to begin with, and so much for every unit it reads. Those in use write three times as much at most.
const spare = 1 << 20;
const growth = 64;

interface Replacement extends Pick<Split, "matcher" | "fail"> {
  readonly content: string;
}

/** Puts a text in place of every match. */
export class ReplaceStage extends SearchStage {
  readonly #replacement: Replacement;
  #left = spare;

  constructor(next: Stage, replacement: Replacement) {
    super(next, replacement);
    this.#replacement = replacement;
  }

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    this.#left += (to - from) * growth;
    super.push(text, from, to, ends, atOrigin);
  }

  protected override segment(
    matched: boolean,
    text: string,
    from: number,
    to: number,
    _complete: boolean,
    atOrigin: boolean,
  ): void {
    if (!matched) {
      this.next.push(text, from, to, false, atOrigin);
      return;
    }
    const { content, fail } = this.#replacement;
    this.#left -= content.length;
    if (this.#left < 0) fail("makes this text too long");
    // What is put in stands where the last character that it replaces stood.
    const oneCharacter = to - from === (text.charCodeAt(from) >>> 10 === 0x36 ? 2 : 1);
    this.next.push(content, 0, content.length, false, atOrigin && oneCharacter);
  }

  protected override pieceEnd(): void {
    this.next.push("", 0, 0, true, false);
  }
}

export type UnicodeForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/**
 * Brings text into one of Unicode's normal forms. It is cut before characters that never change with what stands before them; between
 * such characters it is held.
 */
export class UnicodeFormStage extends Stage {
  readonly #form: UnicodeForm;
  #held = "";
  #atOrigin = false;

  constructor(next: Stage, form: UnicodeForm) {
    super(next);
    this.#form = form;
  }

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    if (this.#held === "" && from < to) this.#atOrigin = atOrigin;
    let cut = to;
    if (!ends) while (cut > from && !standsAlone(text.charCodeAt(--cut)));
    if (ends || (cut >= from && cut < to && standsAlone(text.charCodeAt(cut)))) {
      const whole = (this.#held + text.slice(from, cut)).normalize(this.#form);
      this.#held = text.slice(cut, to);
      if (whole !== "" || ends) this.next.push(whole, 0, whole.length, ends, this.#atOrigin);
      if (whole !== "") this.#atOrigin = false;
    } else this.#held += text.slice(from, to);
  }

  override release(): void {
    const whole = this.#held.normalize(this.#form);
    if (whole !== "") this.next.push(whole, 0, whole.length, false, this.#atOrigin);
    this.#held = "";
  }

  override get state(): StageState {
    return [this.#held, this.#atOrigin];
  }

  override set state(state: StageState) {
    [this.#held, this.#atOrigin] = state as [string, boolean];
  }
}

/** Characters that neither compose with nor move before what precedes them: up to Latin, kana, Chinese characters and Hangul syllables. */
function standsAlone(unit: number): boolean {
  return (
    unit < 0x300 ||
    (unit >= 0x3041 && unit <= 0x3098) ||
    (unit >= 0x30a0 && unit <= 0x30ff) ||
    (unit >= 0x3400 && unit <= 0x9fff) ||
    (unit >= 0xac00 && unit <= 0xd7a3)
  );
}
