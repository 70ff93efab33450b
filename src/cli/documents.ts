/** What `siskin ask` is given: which words are questions and which files, and the files' text, one after another. */
import { realpath, stat } from "node:fs/promises";
import process from "node:process";
import { addAbortSignal } from "node:stream";
import { SiskinError } from "../errors.ts";
import { readBytes } from "./files.ts";
import type { DocumentStart } from "./quotes.ts";
import { streamedText, textOf } from "./text-files.ts";

/** Standard input, where a file's path could stand. */
const STANDARD_INPUT = "-";
const STANDARD_INPUT_NAME = "standard input";
/** What stands between two documents. */
const BETWEEN = "\n\n";

/** The documents as one text, or as it arrives. */
export interface Documents {
  readonly names: readonly string[];
  readonly starts: readonly DocumentStart[];
  readonly text: string | AsyncIterable<string>;
  /** What a reader should know about how they were read. */
  readonly notes: readonly string[];
}

/**
 * Tells questions from documents: what names a file, or looks as if it should, is a document.
 * @throws SiskinError for a path where nothing is, and for a question without words
 */
export async function sorted(words: readonly string[]): Promise<{ questions: string[]; paths: string[] }> {
  const questions: string[] = [];
  const paths: string[] = [];
  for (const word of words) {
    if (word.trim() === "") throw new SiskinError("A question is empty");
    if (word === STANDARD_INPUT || (await exists(word))) paths.push(word);
    else if (/^\S*[^\s.?!]\.\w{1,5}$|^[.~]?\.?[\\/]\S*[^\s?!]$/.test(word)) {
      throw new SiskinError(`${word} cannot be read: there is no such file`);
    } else questions.push(word);
  }
  return { questions, paths };
}

/** Questions out of a file, one a line. @throws SiskinError where there is none */
export async function questionsOf(path: string): Promise<string[]> {
  const { text } = await fileText(path);
  const questions = text.split("\n").flatMap((line) => line.trim() || []);
  if (questions.length === 0) throw new SiskinError(`${path} holds no question: it should have one a line`);
  return questions;
}

/**
 * The documents' text. Standard input alone may have no end yet; beside files it is read to its end.
 * @param signal ends the wait for more input
 * @throws SiskinError that names the file which is given twice, is a folder, is empty or is no text
 */
export async function openDocuments(paths: readonly string[], signal: AbortSignal): Promise<Documents> {
  await refuseTwice(paths);
  const names = paths.map((path) => (path === STANDARD_INPUT ? STANDARD_INPUT_NAME : path));
  if (paths.length === 1 && paths[0] === STANDARD_INPUT) {
    return { names, starts: [{ name: STANDARD_INPUT_NAME, start: 0 }], text: standardInput(signal), notes: [] };
  }
  let text = "";
  const notes: string[] = [];
  const starts: DocumentStart[] = [];
  for (const path of paths) {
    const { text: own, note } =
      path === STANDARD_INPUT ? { text: await gathered(standardInput(signal)) } : await fileText(path);
    if (own.trim() === "") throw new SiskinError(`${path} is empty`);
    if (note) notes.push(note);
    if (text !== "") text += BETWEEN;
    starts.push({ name: names[starts.length]!, start: text.length });
    text += own;
  }
  return { names, starts, text, notes };
}

/** All of a text, where it is wanted as a whole. */
export async function gathered(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

async function* standardInput(signal: AbortSignal): AsyncGenerator<string, void, void> {
  let empty = true;
  for await (const piece of streamedText(addAbortSignal(signal, process.stdin), STANDARD_INPUT_NAME)) {
    empty &&= piece.trim() === "";
    yield piece;
  }
  if (empty) throw new SiskinError("Standard input is empty: give a FILE, or pipe a text in");
}

async function fileText(path: string) {
  const found = await stat(path).catch((error: Error) => {
    throw new SiskinError(`${path} cannot be read: ${error.message}`);
  });
  if (found.isDirectory())
    throw new SiskinError(`${path} is a folder: name the files in it, such as ${path.replace(/[\\/]$/, "")}/*.txt`);
  return textOf(await readBytes(path), path);
}

/** The same file under two names is the same file. */
async function refuseTwice(paths: readonly string[]): Promise<void> {
  const known = new Map<string, string>();
  for (const path of paths) {
    const place = path === STANDARD_INPUT ? path : await realpath(path).catch(() => path);
    const before = known.get(place);
    if (before !== undefined) {
      throw new SiskinError(
        before === path ? `${path} is given twice` : `${path} is given twice: ${before} is the same file`,
      );
    }
    known.set(place, path);
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
