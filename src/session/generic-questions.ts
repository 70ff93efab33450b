/** What a document is read for when nobody has said what will be asked. */

/**
 * Each is run behind every chunk on its own; an entry's score is the highest that any of them gives it. Short questions of
 * the common kinds find more than one sentence that asks for everything (nano, 512 entries of a document of 20,000 tokens
 * or less: 9 of 16 planted facts against 8, and 2 by KeyDiff; all 16 where the questions are known).
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
