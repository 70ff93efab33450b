/** What Python takes for white space, which is not what JavaScript does. */

/** A class of a regular expression. */
export const space = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";

const lineEndCharacters = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029";
const characters = new Set("\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000");

export const isSpace = (character: string): boolean =>
  characters.has(character) || (character >= "\u2000" && character <= "\u200a");

/** Where a line ends for `splitlines`. */
export const lineEnds = new RegExp(`\\r\\n|[${lineEndCharacters}]`, "g");
