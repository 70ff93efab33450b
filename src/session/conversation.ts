/** What a session holds of a conversation: how much of it a new turn finds there, and what is forgotten where the window ends. */
import { ContextError } from "../errors.ts";
import { pauses } from "../pause.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import type { Conversation } from "./conversation-state.ts";
import { conversationTokens, headLength, type TemplateOptions } from "./conversation-tokens.ts";
import { ENDLESS_OPTIONS, type EndlessOptions, type Forgetting, forgetting } from "./endless.ts";
import type { AnswerStart, GenerationTarget } from "./generate.ts";
import type { Passes } from "./passes.ts";

/** Tokens read at once, between which other work goes on. */
const PIECE = 256;

/** The conversation that the session is in, or one that begins behind what it has read. */
export function currentConversation({ cache, conversation, documentEnd }: Passes): Conversation {
  const position = cache.absolutePosition;
  if (conversation && conversation.start + conversation.tokens.length === position) return conversation;
  const before = Array.from({ length: cache.layers * cache.kvHeads }, (_, index) =>
    cache.length(Math.floor(index / cache.kvHeads), index % cache.kvHeads),
  );
  return { tokens: [], start: position, before, documentEnd };
}

/** The messages as tokens, and what is to be forgotten when they and the answer fill the window. */
export function prepareTurn(
  passes: Passes,
  conversation: Conversation,
  messages: readonly Message[],
  options: TemplateOptions & EndlessOptions,
): { tokens: Int32Array; forget: Forgetting | undefined } {
  const { tokenizer } = passes.engine;
  const held = Math.max(0, ...conversation.before);
  const behind = held > 0 ? { end: conversation.documentEnd } : undefined;
  const tokens = conversationTokens(tokenizer, messages, options, behind);
  if (passes.cache.scheme === "original" || passes.contextSize === Number.POSITIVE_INFINITY) {
    return { tokens, forget: undefined };
  }
  const half = Math.max(1, Math.floor(passes.contextSize / 2));
  const given = ENDLESS_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]);
  const measured = options.bytes !== undefined;
  const every = Math.max(1, passes.contextSize - half);
  const settings = { ...(measured ? {} : { budget: half, every }), ...Object.fromEntries(given) };
  const first = held + (behind ? 0 : headLength(tokenizer, messages, options, tokens));
  const { contextSize, room } = passes;
  const { most, press } = forgetting(settings, contextSize, room)!;
  // What is protected has to leave room for what is new.
  const fits = first + (press.least ?? 1) <= most;
  if (!fits && held + tokens.length >= contextSize) {
    throw new ContextError(
      `The ${first} tokens of the system's text and what stands before the conversation leave no room in ${most} entries`,
    );
  }
  const protect = { first: fits ? first : 0, ...options.protect };
  return { tokens, forget: forgetting({ ...settings, protect }, contextSize, room) };
}

/** What reading a turn needs of a session. */
interface TurnSteps {
  readonly step: <T>(work: () => T) => T;
  readonly signal: AbortSignal | undefined;
}

/**
 * Brings the session to a conversation: takes back what differs and reads what is new, piece by piece.
 * @returns what the answer goes on from
 * @throws ContextError where the window is full; what the signal gives when aborted: what was read by then stays
 */
export async function readTurn(
  passes: Passes,
  conversation: Conversation,
  tokens: Int32Array,
  forget: Forgetting | undefined,
  { step, signal }: TurnSteps,
): Promise<AnswerStart> {
  const held = conversation.tokens;
  let common = 0;
  while (common < held.length && common < tokens.length - 1 && held[common] === tokens[common]) common++;
  step(() => {
    if (!forget) passes.checkRoom(tokens.length - held.length);
    takeBack(passes, conversation, common);
  });
  const cachedTokens = held.length;
  let logits: Float32Array = new Float32Array(0);
  const length = Math.min(PIECE, forget?.every ?? PIECE);
  const breathe = pauses();
  for (let first = cachedTokens; first < tokens.length; first += length) {
    signal?.throwIfAborted();
    const piece = tokens.slice(first, first + length);
    logits = step(() => (forget ? passes.passForgetting(piece, forget) : passes.pass(piece)));
    for (const token of piece) held.push(token);
    await breathe();
  }
  return { logits, prompt: tokens, cachedTokens };
}

/** Leaves so many of the conversation's tokens, or none where compression has dropped some of the others. */
function takeBack(passes: Passes, conversation: Conversation, count: number): void {
  const { cache } = passes;
  const { tokens, before } = conversation;
  passes.conversation = conversation;
  if (count === tokens.length) return;
  passes.hiddenState = undefined;
  if (cache.dropNewest(tokens.length - count)) {
    tokens.length = count;
    return;
  }
  const first = (layer: number, head: number) =>
    Int32Array.from({ length: before[layer * cache.kvHeads + head]! }, (_, index) => index);
  cache.keep(first);
  tokens.length = 0;
  conversation.start = cache.absolutePosition;
}

/** A session that keeps account of what it reads of an answer. */
export function conversationTarget(
  passes: Passes,
  { tokens, start }: Conversation,
  target: Required<GenerationTarget>,
): Required<GenerationTarget> {
  const decode = (token: number) => {
    const logits = target.decode(token);
    tokens.push(token);
    return logits;
  };
  return {
    makeRoom: target.makeRoom,
    decode,
    settle: (unread, hidden, last) => {
      if (unread !== undefined) decode(unread);
      else target.settle(undefined, hidden, last);
      tokens.length = passes.cache.absolutePosition - start;
    },
  };
}
