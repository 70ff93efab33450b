/**
 * What is planted and asked: needles and variables in the wording of RULER (Hsieh et al., COLM 2024), facts and records
 * in sentences of their own.
 */
import type { Draw } from "./words.ts";

/** What a document is given to hide. */
interface Planted {
  /** Sentences in the order in which they stand in the text. */
  readonly sentences: readonly string[];
  readonly question: string;
  /** What a right answer contains. */
  readonly answers: readonly string[];
  /** Where the answers stand: a planted sentence's index, and the words in it. */
  readonly evidence: readonly { readonly sentence: number; readonly words: string }[];
}

/** Sentences that resemble the one asked for. */
const DISTRACTORS = 7;
/** Values of one key in `values`, and variables in a chain, as in RULER's niah_multivalue and vt. */
const VALUES = 4;
const HOPS = 4;

const needle = (key: string, value: string) => `One of the special magic numbers for ${key} is: ${value}.`;
const key = (draw: Draw) => `${draw.adjective()}-${draw.noun()}`;

/** The kinds of tasks by name. */
export const kinds = {
  /** One key with one value: RULER's niah_single. */
  needle: (draw: Draw): Planted => oneOf(draw, 1),
  /** One key of many: RULER's niah_multikey. */
  keys: (draw: Draw): Planted => oneOf(draw, 1 + DISTRACTORS),
  /** All values of one key: RULER's niah_multivalue. */
  values: (draw: Draw): Planted => {
    const name = key(draw);
    const values = draw.distinct(VALUES, () => draw.digits(7));
    return {
      sentences: values.map((value) => needle(name, value)),
      question: `What are all the special magic numbers for ${name} mentioned in the provided text?`,
      answers: values,
      evidence: values.map((words, sentence) => ({ sentence, words })),
    };
  },
  /** One statement among others of its kind. */
  facts: (draw: Draw): Planted => {
    const fact = draw.of(FACTS);
    const subjects = draw.distinct(1 + DISTRACTORS, () => fact.subject(draw));
    const values = draw.distinct(subjects.length, () => fact.value(draw));
    return asked(
      draw,
      subjects.map((subject, index) => sentence(fact.statement(subject, values[index]!))),
      subjects.map((subject) => fact.question(subject)),
      values,
    );
  },
  /** One field of one record among records of several fields. */
  records: (draw: Draw): Planted => {
    const record = draw.of(RECORDS);
    const subjects = draw.distinct(2, () => record.subject(draw));
    const cells = subjects.flatMap((subject) =>
      Object.entries(record.fields).map(([field, value]) => ({ subject, field, value: value(draw) })),
    );
    return asked(
      draw,
      cells.map(({ subject, field, value }) => sentence(draw.of(FIELD_STATEMENTS)(subject, field, value))),
      cells.map(({ subject, field }) => sentence(draw.of(FIELD_QUESTIONS)(subject, field))),
      cells.map(({ value }) => value),
    );
  },
  /** All variables that have a value, handed on from one to the next: RULER's variable tracking, of one chain. */
  chains: (draw: Draw): Planted => {
    const value = draw.digits(5);
    const names = draw.distinct(1 + HOPS, () => draw.variable());
    return {
      sentences: names.map((name, index) =>
        index === 0 ? `VAR ${name} = ${value}.` : `VAR ${name} = VAR ${names[index - 1]}.`,
      ),
      question: `Find all variables that are assigned the value ${value} in the text above.`,
      answers: names,
      evidence: names.map((words, sentence) => ({ sentence, words })),
    };
  },
};

/** A kind of task. */
export type Kind = keyof typeof kinds;

interface Fact {
  subject(draw: Draw): string;
  value(draw: Draw): string;
  statement(subject: string, value: string): string;
  question(subject: string): string;
}

const FACTS: readonly Fact[] = [
  {
    subject: (draw) => `room ${draw.digits(3)}`,
    value: (draw) => draw.digits(5),
    statement: (subject, value) => `${subject} is unlocked with ${value}`,
    question: (subject) => `What unlocks ${subject}?`,
  },
  {
    subject: (draw) => `the ${draw.adjective()} ${draw.noun()}`,
    value: (draw) => `${draw.digits(3)} grams`,
    statement: (subject, value) => `${subject} weighs ${value}`,
    question: (subject) => `How much does ${subject} weigh?`,
  },
  {
    subject: (draw) => `the ${draw.city()} ${draw.of(["wedding", "auction", "concert", "lecture"])}`,
    value: (draw) => draw.person(),
    statement: (subject, value) => `${value} will speak at ${subject}`,
    question: (subject) => `Who will speak at ${subject}?`,
  },
  {
    subject: (draw) => `the ${draw.noun()} ${draw.of(["database", "gateway", "service", "queue"])}`,
    value: (draw) => draw.city(),
    statement: (subject, value) => `${subject} is hosted in ${value}`,
    question: (subject) => `Where is ${subject} hosted?`,
  },
];

interface Records {
  subject(draw: Draw): string;
  readonly fields: Readonly<Record<string, (draw: Draw) => string>>;
}

const RECORDS: readonly Records[] = [
  {
    subject: (draw) => `the ${draw.noun()} ${draw.of(["database", "gateway", "service"])}`,
    fields: {
      port: (draw) => draw.digits(5),
      owner: (draw) => draw.person(),
      timeout: (draw) => `${draw.digits(3)} seconds`,
    },
  },
  {
    subject: (draw) => `the ${draw.city()} ${draw.of(["wedding", "auction", "concert"])}`,
    fields: {
      date: (draw) => draw.date(),
      venue: (draw) => `${draw.of(["Mason", "Thorne", "Haas", "Quill"])} ${draw.of(["Mills", "Bank", "Systems"])}`,
      host: (draw) => draw.person(),
    },
  },
  {
    subject: (draw) => `room ${draw.digits(3)}`,
    fields: {
      "key code": (draw) => draw.digits(6),
      caretaker: (draw) => draw.person(),
      colour: (draw) => draw.adjective(),
    },
  },
];

const FIELD_STATEMENTS: readonly ((subject: string, field: string, value: string) => string)[] = [
  (subject, field, value) => `as for ${subject}, the ${field} is ${value}`,
  (subject, field, value) => `note that the ${field} of ${subject} is ${value}`,
  (subject, field, value) => `according to the records, the ${field} of ${subject} is ${value}`,
  (subject, field, value) => `the ${field} of ${subject} is ${value}`,
];

const FIELD_QUESTIONS: readonly ((subject: string, field: string) => string)[] = [
  (subject, field) => `according to the document, what is the ${field} of ${subject}?`,
  (subject, field) => `give the ${field} of ${subject}.`,
  (subject, field) => `what is ${subject}'s ${field}?`,
  (subject, field) => `${subject}: what is the ${field}?`,
];

/** So many needles, one of which is asked for. */
function oneOf(draw: Draw, count: number): Planted {
  const names = draw.distinct(count, () => key(draw));
  const values = draw.distinct(count, () => draw.digits(7));
  return asked(
    draw,
    names.map((name, index) => needle(name, values[index]!)),
    names.map((name) => `What is the special magic number for ${name} mentioned in the provided text?`),
    values,
  );
}

/** Sentences in another order, one of which is asked for. */
function asked(
  draw: Draw,
  sentences: readonly string[],
  questions: readonly string[],
  values: readonly string[],
): Planted {
  const order = draw.shuffled([...sentences.keys()]);
  const place = draw.whole(0, order.length - 1);
  const chosen = order[place]!;
  return {
    sentences: order.map((index) => sentences[index]!),
    question: questions[chosen]!,
    answers: [values[chosen]!],
    evidence: [{ sentence: place, words: values[chosen]! }],
  };
}

/** With a capital letter, and a full stop unless there is an end already. */
function sentence(words: string): string {
  const text = words[0]!.toUpperCase() + words.slice(1);
  return /[.?]$/.test(text) ? text : `${text}.`;
}
