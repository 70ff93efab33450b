/** The table of all methods: a row for each, a column for each part removed, with the question known and unknown. */
import type { Result } from "../../src/eval/results.ts";
import { markdownLines, mean, percent, rowsOf } from "../../src/eval/table.ts";

const QUESTIONS = ["known", "unknown"] as const;

/** Markdown: right answers and, in parentheses, evidence kept, means over the tasks. */
export function methodsTable(results: readonly Result[]): string {
  const ratios = [...new Set(results.flatMap(({ cell }) => cell.kept?.ratio ?? []))];
  const columns = QUESTIONS.flatMap((question) => ratios.map((ratio) => ({ question, ratio })));
  const header = ["method", ...columns.map(({ question, ratio }) => `${question}, ${ratio}`)];
  const lines = [...new Set(results.filter(({ cell }) => cell.kept).map(({ cell }) => cell.method))].map((method) => [
    method,
    ...columns.map(({ question, ratio }) => {
      const [row] = rowsOf(
        results.filter(
          ({ cell }) => cell.method === method && cell.question === question && cell.kept?.ratio === ratio,
        ),
      );
      return row ? `${percent(mean(row, "right"))} (${percent(mean(row, "evidence"))})` : "";
    }),
  ]);
  return markdownLines(header, lines, 1);
}
