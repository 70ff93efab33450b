/** What a document is read for when nobody has said what will be asked. */

/**
 * Each is run behind every chunk on its own; an entry's score is the highest that any of them gives it. Short questions of
 * the common kinds find more than one sentence that asks for everything: with nano, of 16 facts planted in two documents,
 * 9 at 512 entries and 15 at 1,024, against 8 and 12; KeyDiff finds 2 and 5.
 */
export const GENERIC_QUESTIONS: readonly string[] = [
  "Who is it?",
  "What is the name?",
  "How many are there?",
  "What is the number?",
  "What is the date?",
  "Where is it?",
  "What is the code?",
];
