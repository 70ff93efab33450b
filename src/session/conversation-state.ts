/** The account that a session keeps of a conversation. */
import type { DocumentEnd } from "../tokenizer/prompt-frame.ts";

/** A conversation that a session is in. */
export interface Conversation {
  /** Its tokens that were read, dropped by compression or not. */
  readonly tokens: number[];
  /** The session's absolute position where they begin. */
  start: number;
  /** What every head held before it, [layers · KV heads], and how that ended. */
  readonly before: readonly number[];
  readonly documentEnd: DocumentEnd | undefined;
}

/** A copy for a fork. */
export function forkConversation(conversation: Conversation | undefined): Conversation | undefined {
  return conversation && { ...conversation, tokens: [...conversation.tokens] };
}
