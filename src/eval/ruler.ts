/** RULER's thirteen tasks in their published form (Hsieh et al., COLM 2024; github.com/NVIDIA/RULER, synthetic.yaml). */
import { ArgumentError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Corpus } from "./corpus.ts";
import { tokensOf } from "./corpus-tasks.ts";
import { needles } from "./ruler-needles.ts";
import { documents } from "./ruler-questions.ts";
import type { RulerTask } from "./ruler-task.ts";
import { commonWords, frequentWords, variables } from "./ruler-words.ts";
import type { Task } from "./task.ts";
import { Draw } from "./words.ts";

/** What some of the tasks are made of. */
export interface RulerMaterials {
  /** For qa_1 SQuAD's file, for qa_2 HotpotQA's. */
  readonly corpus?: Corpus | undefined;
}

const TASKS: Readonly<Record<string, (materials: RulerMaterials, index: number) => RulerTask>> = {
  niah_single_1: () => needles({ haystack: "noise" }),
  niah_single_2: () => needles({ haystack: "essay" }),
  niah_single_3: () => needles({ haystack: "essay", values: "uuids" }),
  niah_multikey_1: () => needles({ haystack: "essay", keyCount: 4 }),
  niah_multikey_2: () => needles({ haystack: "needle" }),
  niah_multikey_3: () => needles({ haystack: "needle", keys: "uuids", values: "uuids" }),
  niah_multivalue: () => needles({ haystack: "essay", valueCount: 4 }),
  niah_multiquery: () => needles({ haystack: "essay", keyCount: 4, queryCount: 4 }),
  vt: () => variables({ hops: 4 }),
  cwe: () => commonWords,
  fwe: () => frequentWords({ alpha: 2 }),
  qa_1: ({ corpus }, index) => documents(needed("qa_1", "SQuAD's", corpus), index),
  qa_2: ({ corpus }, index) => documents(needed("qa_2", "HotpotQA's", corpus), index),
};

/** Names of the tasks, and of those that need a file of questions. */
export const rulerNames: readonly string[] = Object.keys(TASKS);
export const rulerNamesWithFile: readonly string[] = ["qa_1", "qa_2"];

/**
 * A task whose prompt and answer together have as many tokens as fit into the length.
 * @param length tokens of document, question, answer start and answer
 * @throws ArgumentError for a length that does not hold the task, and for one that needs a file
 */
export function makeRulerTask(
  tokenizer: Tokenizer,
  name: string,
  length: number,
  seed: number,
  index: number,
  materials: RulerMaterials,
): Task {
  const { maxTokens, least, build } = TASKS[name]!(materials, index);
  const room = length - maxTokens;
  // The same draws for every size, so that only the size changes.
  const built = (units: number) => {
    const prompt = build(new Draw(Math.imul(seed, 65_537) + index), units, room);
    const tokens = tokenizer.encode(prompt.text);
    const rest = tokenizer.encode(prompt.question).length + tokenizer.encode(prompt.answerStart).length;
    return { prompt, tokens, total: tokens.length + rest };
  };
  let units = least;
  let best = built(units);
  if (best.total > room) throw new ArgumentError(`${length} tokens are too few for RULER's ${name}`);
  let tooMany = Number.POSITIVE_INFINITY;
  let perUnit = best.total / least;
  while (units + 1 < tooMany) {
    const guess = Math.max(1, Math.floor((room - best.total) / perUnit));
    const tried = Math.min(
      units + guess,
      tooMany === Number.POSITIVE_INFINITY ? units + guess : (units + tooMany) >> 1,
    );
    const next = built(tried);
    if (next.total <= room) {
      if (next.total > best.total) perUnit = (next.total - best.total) / (tried - units);
      [units, best] = [tried, next];
    } else {
      tooMany = tried;
      perUnit = Math.max(perUnit, (next.total - best.total) / (tried - units));
    }
    // Near enough: RULER's own search stops at steps of 10 to 500 units.
    if (room - best.total < Math.max(room / 200, perUnit)) break;
  }
  const { text, question, answerStart, answers, match, evidence = [], passage } = best.prompt;
  return {
    text,
    tokens: best.tokens,
    question,
    answerStart,
    answers,
    match,
    maxTokens,
    evidence: evidence.map(({ words, within }) =>
      tokensOf(tokenizer, text, text.indexOf(within) + within.lastIndexOf(words), words.length),
    ),
    ...(passage !== undefined && { passage }),
  };
}

function needed(task: string, whose: string, corpus: Corpus | undefined): Corpus {
  if (corpus) return corpus;
  throw new ArgumentError(`RULER's ${task} is made of a file of questions: give ${whose} with --questions FILE`);
}
