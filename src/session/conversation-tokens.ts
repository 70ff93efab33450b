/** A conversation as tokens: the model's template around the messages, in whose texts special tokens stay plain text. */
import { ArgumentError } from "../errors.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import type { DocumentEnd } from "../tokenizer/prompt-frame.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { joined } from "../tokenizer/tokens.ts";

/** What a template is given beside the messages. */
export interface TemplateOptions {
  /** JSON schemas of functions that the model may call. */
  readonly tools?: readonly object[] | undefined;
  /** Variables of the template, such as `enable_thinking`, and `template`, the name of one of several. */
  readonly templateOptions?: Readonly<Record<string, unknown>> | undefined;
}

// Letters only: nothing that a template would trim, escape or split.
const documentMark = "SiskinDocumentStandsHere";
const separator = "\n\n";
/** Unicode's noncharacters, which no text should hold: one of them stands before special tokens that are meant as text. */
const guards = Array.from({ length: 32 }, (_, index) => String.fromCharCode(0xfdd0 + index));
const spellings = new WeakMap<Tokenizer, readonly string[]>();

/**
 * The tokens of a conversation up to the beginning of the assistant's answer.
 * @param behind where the conversation follows something that was read: how that ended, if it is known; the first message, a user's,
 * then goes on from it as a question does
 * @throws ArgumentError for messages that cannot be, or that the template refuses; FormatError when it fails
 */
export function conversationTokens(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  { tools, templateOptions = {} }: TemplateOptions,
  behind?: { readonly end: DocumentEnd | undefined },
): Int32Array {
  const { chatTemplate } = tokenizer;
  if (!chatTemplate) throw new ArgumentError("The model has no chat template, so that it cannot chat");
  if (!Array.isArray(messages)) throw new ArgumentError("messages should be a list");
  const written = JSON.stringify([messages, tools]);
  const guard = guards.find((each) => !written.includes(each));
  if (guard === undefined) throw new ArgumentError("messages hold every one of Unicode's noncharacters");
  const specials = specialSpellings(tokenizer);
  const plain = (value: unknown): unknown => guarded(value, specials, guard);
  const rendered = chatTemplate.render((behind ? behindDocument(messages) : messages).map(plain) as Message[], {
    ...templateOptions,
    tools: tools?.map(plain) as object[] | undefined,
    addGenerationPrompt: true,
  });
  const encoder = tokenizer.encoder();
  let text = rendered;
  if (behind) {
    text = rendered.slice(rendered.indexOf(documentMark) + documentMark.length);
    if (behind.end) encoder.state = behind.end.state;
    else encoder.goOn();
  }
  const tokens: Int32Array[] = [];
  for (const [index, part] of text.split(guard).entries()) {
    const spelling = index === 0 ? "" : (specials.find((each) => part.startsWith(each)) ?? "");
    if (spelling) tokens.push(encoder.push(spelling));
    const rest = part.slice(spelling.length);
    if (rest) tokens.push(encoder.push(rest, { special: true }));
  }
  tokens.push(encoder.end());
  return joined(tokens).subarray(behind?.end?.given ?? 0);
}

/**
 * How many tokens of a conversation stand before what its first user says: the system's text and the beginning of the turn.
 * @param tokens the conversation's
 */
export function headLength(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  options: TemplateOptions,
  tokens: Int32Array,
): number {
  const first = messages.findIndex(({ role }) => role === "user");
  const other = [...messages.slice(0, Math.max(first, 0)), { role: "user", content: documentMark }];
  const begun = conversationTokens(tokenizer, other, options);
  let same = 0;
  while (same < tokens.length && tokens[same] === begun[same]) same++;
  return same;
}

/** The messages with a mark before the first one's text. @throws ArgumentError unless a user's text comes first */
function behindDocument(messages: readonly Message[]): Message[] {
  const [first, ...others] = messages;
  if (first?.role !== "user" || typeof first.content !== "string") {
    throw new ArgumentError("Behind what a session has read, a conversation begins with a text of the user's");
  }
  return [{ ...first, content: `${documentMark}${separator}${first.content}` }, ...others];
}

/** A value with the guard before every special token in its texts. */
function guarded(value: unknown, specials: readonly string[], guard: string): unknown {
  if (typeof value === "string") {
    let text = value;
    for (const special of specials) text = text.replaceAll(special, guard + special);
    return text;
  }
  if (Array.isArray(value)) return value.map((item) => guarded(item, specials, guard));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, guarded(item, specials, guard)]));
}

/** How special tokens are spelled, the longest first. */
function specialSpellings(tokenizer: Tokenizer): readonly string[] {
  let known = spellings.get(tokenizer);
  if (!known) {
    const ids = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id);
    known = ids
      .filter((id) => tokenizer.isSpecial(id))
      .map((id) => tokenizer.tokenText(id))
      .sort((a, b) => b.length - a.length);
    spellings.set(tokenizer, known);
  }
  return known;
}
