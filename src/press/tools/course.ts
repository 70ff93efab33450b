/** Courses through the chunks of a document for methods that can score a chunk only when it is read. */
import { ArgumentError } from "../../errors.ts";
import type { Target } from "../budget.ts";
import { pick } from "../entries.ts";
import type { LayerSelection, ModelEntries, ModelSelection, ScorePress } from "../press.ts";
import { checkWholePass } from "./check.ts";
import { rawScores, selectAll } from "./choose.ts";
import { eachHead } from "./each-head.ts";
import { range } from "./vectors.ts";

/** The scores of what the passes before have left, for each layer and KV head. */
export class KnownScores {
  readonly #press: string;
  #lists: readonly (readonly Float32Array[])[] | undefined;

  /** @param press the method's name, for errors */
  constructor(press: string) {
    this.#press = press;
  }

  /**
   * Scores of all entries, 0 for those of the last pass, which stand behind the others.
   * @throws ArgumentError where entries are left that no pass of this course has scored
   */
  before({ layers, tokens }: ModelEntries): Float32Array[][] {
    return layers.map((layer, index) =>
      eachHead(layer, (head) => {
        const list = new Float32Array(layer.length(head));
        const known = this.#lists?.[index]?.[head] ?? new Float32Array();
        if (known.length + tokens.length !== list.length) {
          throw new ArgumentError(
            `The ${this.#press} press reads from the start: of ${list.length} entries of a head it knows ${known.length} and a pass of ${tokens.length} tokens`,
          );
        }
        list.set(known);
        return list;
      }),
    );
  }

  /** Keeps the scores of what was selected. */
  keep(selections: readonly LayerSelection[], scores: readonly (readonly Float32Array[])[]): void {
    this.#lists = selections.map(({ kept }, layer) =>
      kept.map((list, head) => Float32Array.from(list, (index) => scores[layer]![head]![index]!)),
    );
  }
}

/** A press that looks at the queries of every entry: it scores a whole pass or none, and chunks of a document each for itself. */
export function scoreWholePasses(press: ScorePress): ScorePress {
  const whole: ScorePress = {
    ...press,
    needs: { ...press.needs, queryRows: Number.POSITIVE_INFINITY },
    score: (entries, target) => {
      checkWholePass(entries, press.name);
      return press.score(entries, target);
    },
    begin: () => new ScoreCourse(whole),
  };
  return whole;
}

/** Scores every chunk for itself, as a pass of its own; the highest scores of all chunks survive. */
class ScoreCourse implements ModelSelection {
  readonly #press: ScorePress;
  readonly #known: KnownScores;

  constructor(press: ScorePress) {
    this.#press = press;
    this.#known = new KnownScores(press.name);
  }

  select(entries: ModelEntries, target: Target): readonly LayerSelection[] {
    const scores = this.#known.before(entries);
    for (const [index, layer] of entries.layers.entries()) {
      const first = (head: number) => layer.length(head) - entries.tokens.length;
      const pass = pick(
        layer,
        eachHead(layer, (head) => range(first(head), layer.length(head))),
      );
      for (const [head, list] of rawScores(this.#press, pass, target).entries())
        scores[index]![head]!.set(list, first(head));
    }
    const scored: ScorePress = { ...this.#press, score: ({ layer }) => scores[layer]! };
    const selections = selectAll(scored, entries, target);
    this.#known.keep(selections, scores);
    return selections;
  }
}
