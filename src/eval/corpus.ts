/** Questions about real text out of a file: SQuAD and XQuAD, HotpotQA, or a line of JSON for each question. */
import { FormatError } from "../errors.ts";

/** A question, and where in its corpus it belongs. */
export interface CorpusQuestion {
  readonly question: string;
  /** Any of them is right. */
  readonly answers: readonly string[];
  /** Indices of the passages that it was asked of. */
  readonly passages: readonly number[];
}

/** Passages of text and questions about them. */
export interface Corpus {
  /** The file's name. */
  readonly name: string;
  readonly passages: readonly { readonly text: string; readonly article: string }[];
  readonly questions: readonly CorpusQuestion[];
}

/**
 * Reads SQuAD's layout (`data`, `paragraphs`, `context`, `qas`), XQuAD's list of articles, HotpotQA's list of questions with their
 * documents, or rows with `question`, `answer` or `answers`, and `context`, `document` or `text`, as a list or one a line.
 * Questions without an answer are left out.
 * @param name the file's, for messages and tables
 * @throws FormatError that names the article, row or line where something else stands
 */
export function parseCorpus(text: string, name: string): Corpus {
  const corpus = new CorpusBuilder(name);
  for (const { value, where } of entriesOf(text, name)) {
    const entry = corpus.object(value, where);
    if (Array.isArray(entry.paragraphs)) corpus.article(entry, where);
    else if (Array.isArray(entry.context)) corpus.hotpot(entry, where);
    else corpus.row(entry, where);
  }
  const { passages, questions } = corpus;
  if (questions.length === 0) throw new FormatError(name, "there is no question with an answer in it");
  return { name, passages, questions };
}

type Fields = Record<string, unknown>;

/** The articles, questions or rows of a file, each with its place for messages. */
function entriesOf(text: string, name: string): { value: unknown; where: string }[] {
  const whole = parsed(text);
  const data = (whole as Fields | undefined)?.data ?? whole;
  if (Array.isArray(data)) return data.map((value, index) => ({ value, where: `entry ${index + 1}` }));
  if (whole !== undefined) return [{ value: whole, where: "entry 1" }];
  const lines = text.split("\n").map((line, index) => ({ line: line.trim(), where: `line ${index + 1}` }));
  return lines
    .filter(({ line }) => line !== "")
    .map(({ line, where }) => {
      const value = parsed(line);
      if (value === undefined) throw new FormatError(name, `${where} is not JSON`);
      return { value, where };
    });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

class CorpusBuilder {
  readonly passages: { text: string; article: string }[] = [];
  readonly questions: CorpusQuestion[] = [];
  readonly #name: string;
  readonly #known = new Map<string, number>();

  constructor(name: string) {
    this.#name = name;
  }

  object(value: unknown, where: string): Fields {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
    throw new FormatError(this.#name, `${where} is no object`);
  }

  article({ title, paragraphs }: Fields, where: string): void {
    for (const [index, value] of (paragraphs as unknown[]).entries()) {
      const place = `${where}, paragraph ${index + 1}`;
      const { context, qas, questions = qas } = this.object(value, place);
      if (!Array.isArray(questions)) throw new FormatError(this.#name, `${place} has no list of questions`);
      const passage = this.#passage(this.#string(context, "context", place), String(title ?? where));
      for (const [number, asked] of questions.entries()) {
        this.#question(this.object(asked, `${place}, question ${number + 1}`), [passage], place);
      }
    }
  }

  hotpot(entry: Fields, where: string): void {
    const passages = (entry.context as unknown[]).map((document) => {
      const [title, sentences] = Array.isArray(document) ? document : [];
      if (!Array.isArray(sentences)) throw new FormatError(this.#name, `${where} has a document without sentences`);
      return this.#passage(`${title}\n${sentences.join("")}`, where);
    });
    this.#question(entry, passages, where);
  }

  row(row: Fields, where: string): void {
    const text = this.#string(row.context ?? row.document ?? row.text, "context, document or text", where);
    this.#question(row, [this.#passage(text, String(row.title ?? where))], where);
  }

  #passage(text: string, article: string): number {
    const index = this.#known.get(text) ?? this.passages.push({ text, article }) - 1;
    this.#known.set(text, index);
    return index;
  }

  #question(fields: Fields, passages: readonly number[], where: string): void {
    const question = this.#string(fields.question, "question", where);
    const { answers = fields.answer } = fields;
    // Hugging Face's rows hold {text: [...]}, SQuAD's file [{text}, ...].
    const listed = Array.isArray(answers) ? answers : (answers as Fields | undefined)?.text;
    const list = [listed ?? answers ?? []].flat();
    const texts = list.map((answer) => (typeof answer === "object" ? (answer as Fields | null)?.text : answer));
    const given = [...new Set(texts.map((answer) => this.#string(answer, "answer", where)))];
    if (given.length > 0 && fields.is_impossible !== true) this.questions.push({ question, answers: given, passages });
  }

  #string(value: unknown, field: string, where: string): string {
    if (typeof value === "string" && value.trim() !== "") return value;
    if (typeof value === "number") return String(value);
    throw new FormatError(this.#name, `${where} has no text for ${field}`);
  }
}
