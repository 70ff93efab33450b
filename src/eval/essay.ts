/** The prose that things are hidden in: L. Frank Baum, The Life and Adventures of Santa Claus, 1902, public domain. */
import prose from "./prose.txt";

/** Passages of the prose, in sentences: a quotation may end behind the full stop. */
export const passages: readonly (readonly string[])[] = prose
  .trim()
  .split("\n")
  .map((line) => line.split(/(?<=[.!?]"?) /));

const sentences = passages.flat();
const words = sentences.flatMap((sentence, index) => sentence.split(" ").map((word) => ({ word, sentence: index })));

/** The first so many words, the prose repeated as needed, in sentences, the last of which may be cut. */
export function essay(count: number): string[] {
  const whole = Math.floor(count / words.length);
  const text = Array.from({ length: whole }, () => sentences).flat();
  const rest = words.slice(0, count % words.length);
  const last = rest.at(-1)?.sentence;
  if (last === undefined) return text;
  const cut = rest.filter(({ sentence }) => sentence === last).map(({ word }) => word);
  return [...text, ...sentences.slice(0, last), cut.join(" ")];
}
