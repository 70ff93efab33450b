/** Every task that can be measured, by name: what is planted, RULER's, and those of a file of questions. */
import { ArgumentError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Corpus } from "./corpus.ts";
import { CorpusTasks, SCOPES, type Scope } from "./corpus-tasks.ts";
import { type Kind, kinds } from "./kinds.ts";
import { makePlantedTask } from "./planted.ts";
import { makeRulerTask, rulerNames, rulerNamesWithFile } from "./ruler.ts";
import type { Task } from "./task.ts";

const plantedNames: readonly string[] = Object.keys(kinds);
const scopes: readonly string[] = SCOPES;

/** Names that stand for several tasks. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  ruler: rulerNames.filter((name) => !rulerNamesWithFile.includes(name)),
  questions: scopes,
};

/** Names of tasks with those of groups in place of them. @throws ArgumentError for a name that is not there */
export function taskNames(names: readonly string[]): string[] {
  const known = [...plantedNames, ...rulerNames, ...scopes];
  return names.flatMap((name) => {
    if (Object.hasOwn(GROUPS, name)) return GROUPS[name]!;
    if (known.includes(name)) return name;
    throw new ArgumentError(
      `There is no task ${JSON.stringify(name)}; there are ${[...known, ...Object.keys(GROUPS)].join(", ")}`,
    );
  });
}

/** Whether a task asks the questions of a file and has no length of its own to be made to. */
export function hasOwnLength(task: string): boolean {
  return scopes.includes(task);
}

/** Makes tasks with a model's tokenizer. */
export class Suite {
  readonly #tokenizer: Tokenizer;
  readonly #corpus: CorpusTasks | undefined;

  /** @param corpus a file of questions */
  constructor(tokenizer: Tokenizer, corpus?: Corpus) {
    this.#tokenizer = tokenizer;
    this.#corpus = corpus && new CorpusTasks(corpus, tokenizer);
  }

  /** How many different documents or questions there are for a task. */
  available(task: string): number {
    const ofFile = hasOwnLength(task) || rulerNamesWithFile.includes(task);
    return ofFile ? (this.#corpus?.corpus.questions.length ?? 1) : Number.POSITIVE_INFINITY;
  }

  /**
   * @param length tokens of the document; undefined for the questions of a file
   * @param index below `available`
   * @throws ArgumentError for a length that does not hold the task, and where a file of questions is needed
   */
  make(task: string, length: number | undefined, seed: number, index: number): Task {
    if (hasOwnLength(task)) {
      if (!this.#corpus)
        throw new ArgumentError(`${task} asks the questions of a file: give one with --questions FILE`);
      return this.#corpus.make(task as Scope, seed, index);
    }
    if (length === undefined) throw new ArgumentError(`${task} needs a length`);
    if (rulerNames.includes(task)) {
      return makeRulerTask(this.#tokenizer, task, length, seed, index, { corpus: this.#corpus?.corpus });
    }
    return makePlantedTask(this.#tokenizer, task as Kind, length, seed, index);
  }
}
