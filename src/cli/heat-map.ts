/** Which heads kept each token of a document: what `--show kept` and `--html` paint. */
import type { Session } from "../session/session.ts";
import { StreamDecoder } from "../tokenizer/stream-decoder.ts";

/** A document token by token, and what became of each. */
export interface HeatMap {
  /** Each token's text; joined, the document. A character of several tokens stands with its last. */
  readonly texts: readonly string[];
  /** KV heads of a layer. */
  readonly heads: number;
  /** For each layer, how many of its heads kept each token: [tokens]. */
  readonly layers: readonly Uint16Array[];
}

/** The document that a session read last. @param tokens all of it, as they were read */
export function heatMap(session: Session, tokens: Int32Array): HeatMap {
  const { config, tokenizer } = session;
  const decoder = new StreamDecoder(tokenizer, { skipSpecial: false });
  const texts = Array.from(tokens, (token) => decoder.push(token));
  if (texts.length > 0) texts[texts.length - 1] += decoder.flush();
  const first = session.absolutePosition - tokens.length;
  const layers = Array.from({ length: config.layers }, (_, layer) =>
    countKept(
      Array.from({ length: config.kvHeads }, (_, head) => session.positions(layer, head)),
      first,
      tokens.length,
    ),
  );
  return { texts, heads: config.kvHeads, layers };
}

/**
 * How many heads kept each token.
 * @param positions for each head, where its entries stood in the session's text
 * @param first where the document's first token stood, behind the prompt's head and whatever was read before
 * @param length the document's tokens
 * @returns [length]
 */
export function countKept(positions: readonly ArrayLike<number>[], first: number, length: number): Uint16Array {
  const counts = new Uint16Array(length);
  // What lies outside the array, before the document or behind it, is not counted: a typed array drops such writes.
  for (const list of positions) for (let i = 0; i < list.length; i++) counts[list[i]! - first]!++;
  return counts;
}

/** How many heads of all layers kept each token: [tokens]. */
export function sumLayers({ texts, layers }: HeatMap): Uint32Array {
  return Uint32Array.from(texts, (_, token) => layers.reduce((sum, counts) => sum + counts[token]!, 0));
}
