/** Which tokens end an answer by their spelling, in files that do not say it. */

/**
 * Special tokens that end a turn, though some models' configurations name only the end of a document. "<|end|>" is none of them: where
 * it ends a turn the files say so, and elsewhere it ends a part of one.
 */
export const turnEnds: ReadonlySet<string> = new Set([
  "<|im_end|>",
  "<|eot_id|>",
  "<|eom_id|>",
  "<end_of_turn>",
  "<|end_of_turn|>",
  "<end_of_utterance>",
]);

/** What llama.cpp's llama-vocab.cpp takes for ends of generation in a GGUF, and so for control tokens, whatever their type there. */
export const ggufEnds: ReadonlySet<string> = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|flush|>",
  "<|calls|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "</s>",
  "<|eom_id|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "[EOS]",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<eos>",
  "<turn|>",
  "<|tool_response>",
  "<｜end▁of▁sentence｜>",
  "[e~[",
]);

/** Tokens of code models that end the gap to be filled, by the key that names them: without it by their spelling. */
export const fillEnds: Readonly<Record<string, readonly string[]>> = {
  fim_pad_token_id: ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
  fim_rep_token_id: ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
  fim_sep_token_id: ["<|file_sep|>"],
};

/** Keys of a GGUF that name an end token. */
export const ggufEndKeys: readonly string[] = [
  "eos_token_id",
  "eot_token_id",
  "eom_token_id",
  ...Object.keys(fillEnds),
];

/**
 * The tokens of a GGUF that llama.cpp takes for ends of generation.
 * @param keys ids that the file names, by key
 * @param idOf the id of a token by its spelling
 */
export function ggufEndTokens(
  keys: ReadonlyMap<string, number>,
  idOf: (content: string) => number | undefined,
): Set<number> {
  const ends = new Set(keys.values());
  const add = (id: number | undefined) => id !== undefined && ends.add(id);
  for (const content of ggufEnds) add(idOf(content));
  for (const [key, spellings] of Object.entries(fillEnds))
    if (!keys.has(key)) add(spellings.map(idOf).find((id) => id !== undefined));
  const has = (content: string) => idOf(content) !== undefined;
  // Where a message has several channels, or a tool's answer follows it, these end only a part.
  const hasCall = has("<|call|>") || has("<|calls|>");
  if (hasCall && (has("<|return|>") || has("<|flush|>"))) ends.delete(idOf("<|end|>")!);
  if (has("<|tool_response>")) ends.delete(idOf("</s>")!);
  return ends;
}
