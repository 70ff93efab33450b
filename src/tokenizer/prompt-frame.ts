/** The prompt around a document and a question: its parts, read apart, are the tokens of the whole text. */
import { FormatError } from "../errors.ts";
import type { ChatTemplate } from "./chat-template.ts";
import { isWhiteSpace, type StageState } from "./stages/stage.ts";
import type { StreamEncoder } from "./stream-encoder.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { joined, noTokens } from "./tokens.ts";

// Letters only: nothing that a template would trim, escape or split.
const documentMark = "SiskinDocumentStandsHere";
const questionMark = "SiskinQuestionStandsHere";
/** What stands between a document and a question. */
const separator = "\n\n";
const probe = " \t\n";

/** The text that a template puts around one user message. */
interface FrameText {
  readonly head: string;
  readonly tail: string;
  /** Whether the template cuts white space off the message's beginning, and end. */
  readonly trimsStart: boolean;
  readonly trimsEnd: boolean;
}

/** How a document ended: what a question behind it goes on from. JSON has it as it is. */
export interface DocumentEnd {
  /** Where the encoder stood when the document had ended. */
  readonly state: StageState;
  /** Tokens of what it held that have been given, because an empty line follows whatever the question. */
  readonly given: number;
}

/** What stands around a document and a question in a model's prompt. */
export interface Frame {
  /** Tokens before a document. */
  readonly head: Int32Array;
  /** Tokens after a question: the end of the turn and the beginning of the answer. */
  readonly tail: Int32Array;
  /** The tokens of a question behind a document: an empty line, the question as plain text, the tail. */
  question(text: string): Int32Array;
}

/** The prompt of one user message that is a document, an empty line and a question. */
export class PromptFrame implements Frame {
  readonly #tokenizer: Tokenizer;
  readonly #frame: FrameText;
  /** What stands before the head's text. */
  readonly #start: readonly number[];

  /**
   * @param template the model's template; without one a document begins as the tokenizer begins it, and a line's end follows the question
   * @throws FormatError when the template does not write a user's message as it is, once, or cannot write one
   */
  constructor(template: ChatTemplate | undefined, tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
    this.#start = template ? [] : tokenizer.documentStart;
    this.#frame = template ? frameOf(template) : { head: "", tail: "\n", trimsStart: false, trimsEnd: false };
  }

  /** Tokens before a document that is given as tokens. */
  get head(): Int32Array {
    const { encoder, tokens } = this.#begin();
    return joined([tokens, encoder.end()]);
  }

  /** Tokens after the question by themselves: the end of the turn and the beginning of the answer. */
  get tail(): Int32Array {
    const encoder = this.#tokenizer.encoder();
    encoder.goOn();
    return joined([encoder.push(this.#frame.tail, { special: true }), encoder.end()]);
  }

  /** Begins a prompt. */
  begin(): DocumentEncoder {
    const { encoder, tokens } = this.#begin();
    return new DocumentEncoder(encoder, joined([tokens, encoder.settle()]), this.#frame.trimsStart);
  }

  /**
   * Goes on behind what was read, with another document: its tokens are those of a text that goes on from a cut.
   *
   * @param end how the document before ended, unless that is not known; what it held back comes first
   */
  goOn(end: DocumentEnd | undefined): DocumentEncoder {
    const encoder = this.#tokenizer.encoder();
    encoder.goOn();
    return new DocumentEncoder(encoder, end ? this.#standing(end).end().subarray(end.given) : noTokens, false);
  }

  /**
   * The tokens of a question behind a document: an empty line, the question as plain text, the tail.
   *
   * @param end how the document ended; where that is not known, its last token is taken to stay apart from what follows
   */
  question(text: string, end?: DocumentEnd): Int32Array {
    return joined([...this.questionInSteps(text, end)]);
  }

  /** As `question`, in steps of some milliseconds each. */
  *questionInSteps(text: string, end?: DocumentEnd): Generator<Int32Array, void, void> {
    const { tail, trimsEnd } = this.#frame;
    let encoder: StreamEncoder;
    if (end) encoder = this.#standing(end);
    else {
      encoder = this.#tokenizer.encoder();
      encoder.goOn();
    }
    const content = trimsEnd ? trimEnd(separator + text) : separator + text;
    let given = end?.given ?? 0;
    for (const tokens of parts(encoder, content, tail)) {
      yield tokens.subarray(given);
      given = Math.max(given - tokens.length, 0);
    }
  }

  /** The tokens of a question behind no document, from the prompt's head on, in steps of some milliseconds each. */
  *aloneInSteps(question: string): Generator<Int32Array, void, void> {
    const document = this.begin();
    yield document.head;
    yield* this.questionInSteps(question, yield* document.end());
  }

  /** A document's end that came from elsewhere. @throws FormatError for what cannot be one of this tokenizer's */
  checkedEnd(value: unknown): DocumentEnd {
    const { state, given } = (value ?? {}) as DocumentEnd;
    if (
      !hasShape(state, this.#tokenizer.encoder().state) ||
      !Number.isInteger(given) ||
      given < 0 ||
      given > this.#standing({ state, given }).end().length
    )
      throw new FormatError("document's end", "it is not one that this tokenizer comes to");
    return { state, given };
  }

  #begin(): { encoder: StreamEncoder; tokens: Int32Array } {
    const encoder = this.#tokenizer.encoder();
    const { head } = this.#frame;
    const tokens: Int32Array[] = [Int32Array.from(this.#start)];
    if (head !== "") {
      tokens.push(encoder.push(head, { special: true }));
      encoder.endSpecial();
    }
    return { encoder, tokens: joined(tokens) };
  }

  #standing({ state }: DocumentEnd): StreamEncoder {
    const encoder = this.#tokenizer.encoder();
    encoder.state = state;
    return encoder;
  }
}

function* parts(encoder: StreamEncoder, content: string, tail: string): Generator<Int32Array, void, void> {
  yield* encoder.pushInSteps(content);
  yield encoder.push(tail, { special: true });
  yield* encoder.endInSteps();
}

/** Encodes a document behind what stands before it. */
export class DocumentEncoder {
  /** Tokens before the document: those of the prompt's head that no document changes, or what the document before held back. */
  readonly head: Int32Array;
  readonly #encoder: StreamEncoder;
  /** Whether white space that comes next is cut off. */
  #trims: boolean;

  /** For PromptFrame. */
  constructor(encoder: StreamEncoder, head: Int32Array, trims: boolean) {
    this.#encoder = encoder;
    this.head = head;
    this.#trims = trims;
  }

  /** The tokens that are certain after this piece of the document, in steps of some milliseconds each. */
  *push(piece: string): Generator<Int32Array, void, void> {
    let text = piece;
    if (this.#trims) {
      text = trimStart(piece);
      this.#trims = text === "";
    }
    yield* this.#encoder.pushInSteps(text);
  }

  /**
   * The document has ended. Gives the tokens of its end that an empty line behind it leaves as they are.
   *
   * @returns what a question goes on from
   */
  *end(): Generator<Int32Array, DocumentEnd, void> {
    yield this.#encoder.settle();
    const followed = this.#encoder.fork();
    const certain: number[] = [];
    for (const tokens of followed.pushInSteps(separator)) {
      for (const token of tokens) certain.push(token);
      yield noTokens;
    }
    for (const token of followed.settle()) certain.push(token);
    let given = 0;
    for (const tokens of this.#encoder.fork().endInSteps()) {
      let same = 0;
      while (same < tokens.length && tokens[same] === certain[given + same]) same++;
      yield tokens.subarray(0, same);
      given += same;
      if (same < tokens.length) break;
    }
    return { state: this.#encoder.state, given };
  }
}

function frameOf(template: ChatTemplate): FrameText {
  const mark = `${documentMark}${separator}${questionMark}`;
  const around = (content: string): [string, string] => {
    const rendered = template.render([{ role: "user", content }], { addGenerationPrompt: true }).split(mark);
    if (rendered.length !== 2)
      throw new FormatError("chat template", "it does not write a user's message as it is, once");
    return rendered as [string, string];
  };
  const [head, tail] = around(mark);
  const [probedHead, probedTail] = around(`${probe}${mark}${probe}`);
  const trims = (plain: string, probed: string, kept: string): boolean => {
    if (probed === kept) return false;
    if (probed === plain) return true;
    throw new FormatError("chat template", "it changes the white space around a user's message");
  };
  return {
    head,
    tail,
    trimsStart: trims(head, probedHead, head + probe),
    trimsEnd: trims(tail, probedTail, probe + tail),
  };
}

/** White space as Python's str.strip has it: with the separators among the control characters. */
const isSpace = (unit: number) => isWhiteSpace(unit) || (unit >= 0x1c && unit <= 0x1f);

function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charCodeAt(start))) start++;
  return text.slice(start);
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Whether a value has lists where a state has them, and the same kinds of values. */
function hasShape(value: unknown, state: StageState): value is StageState {
  if (!Array.isArray(state)) return typeof value === typeof state;
  return (
    Array.isArray(value) && value.length === state.length && state.every((part, index) => hasShape(value[index], part))
  );
}
