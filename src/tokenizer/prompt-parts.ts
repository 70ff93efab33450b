/** The frame that a chat template puts around a document and a question, so that the two can be read apart. */
import { FormatError } from "../errors.ts";
import type { ChatTemplate } from "./chat-template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What stands before the document and after the question. */
export interface PromptParts {
  /** tokens before the document */
  readonly head: Int32Array;
  /** tokens after the question: the end of the turn and the beginning of the answer */
  readonly tail: Int32Array;
  /** The tokens of a question behind the document: an empty line, the question as plain text, the tail. */
  question(text: string): Int32Array;
}

// Letters only: nothing that a template would trim, escape or split.
const documentMark = "SiskinDocumentStandsHere";
const questionMark = "SiskinQuestionStandsHere";

/**
 * The frame of one user message that is a document, an empty line and a question.
 *
 * @param template the model's template; without one the head is what the tokenizer puts before a document, and the tail a line's end
 * @throws FormatError when the template does not write a user's message as it is, once
 */
export function promptParts(template: ChatTemplate | undefined, tokenizer: Tokenizer): PromptParts {
  let head: Int32Array;
  let tail: Int32Array;
  if (template) {
    const separator = `${documentMark}\n\n${questionMark}`;
    const parts = template
      .render([{ role: "user", content: separator }], { addGenerationPrompt: true })
      .split(separator);
    if (parts.length !== 2) throw new FormatError("chat template", "it does not write a user's message as it is, once");
    head = tokenizer.encode(parts[0]!, { special: true });
    tail = tokenizer.encode(parts[1]!, { special: true });
  } else {
    head = Int32Array.from(tokenizer.documentStart);
    tail = tokenizer.encode("\n");
  }
  return {
    head,
    tail,
    question: (text) => Int32Array.from([...tokenizer.encode(`\n\n${text}`), ...tail]),
  };
}
