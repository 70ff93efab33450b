/** Results as Markdown tables: one for each length and kind of question, a row for each method and budget. */
import { type Cell, type Kept, labelOf } from "./grid.ts";
import type { Result } from "./results.ts";

/** What belongs into one table or panel. */
export interface Group {
  readonly title: string;
  readonly results: readonly Result[];
}

/** Results by length and kind of question, in the order of the results; those of the whole cache stand in every group of their length. */
export function groupsOf(results: readonly Result[]): Group[] {
  const lengths = [...new Set(results.map(({ cell }) => cell.length))];
  return lengths.flatMap((length) => {
    const ofLength = results.filter(({ cell }) => cell.length === length);
    const questions = [...new Set(ofLength.map(({ cell }) => cell.question))];
    return questions.map((question) => ({
      title: `${length.toLocaleString("en-US")} tokens, question ${question}`,
      results: ofLength.filter(({ cell }) => cell.question === question || cell.method === "all"),
    }));
  });
}

/** Rows of a group: results of the same method and budget, one for each task. */
export function rowsOf(results: readonly Result[]): Result[][] {
  const rows = new Map<string, Result[]>();
  for (const result of results) {
    const key = JSON.stringify([labelOf(result.cell), result.cell.kept]);
    rows.set(key, [...(rows.get(key) ?? []), result]);
  }
  return [...rows.values()];
}

/** The tables, each below a heading. Answers and evidence in percent. */
export function markdownTables(results: readonly Result[]): string {
  return groupsOf(results)
    .map(({ title, results: group }) => `### ${title}\n\n${markdownTable(group)}`)
    .join("\n");
}

function markdownTable(results: readonly Result[]): string {
  const tasks = [...new Set(results.map(({ cell }) => cell.task))];
  const header = ["method", "kept", "entries", ...tasks, "right", "evidence kept"];
  const lines = rowsOf(results).map((row) => {
    const of = (task: Cell["task"]) => row.find(({ cell }) => cell.task === task);
    return [
      labelOf(row[0]!.cell),
      keptText(row[0]!.cell.kept),
      Math.round(mean(row, "entries")).toLocaleString("en-US"),
      ...tasks.map((task) => percent(of(task)?.right)),
      `**${percent(mean(row, "right"))}**`,
      percent(mean(row, "evidence")),
    ];
  });
  return markdownLines(header, lines, 2);
}

/** A table in Markdown. @param words columns that hold words, the first ones; the others hold numbers */
export function markdownLines(header: readonly string[], lines: readonly (readonly string[])[], words: number): string {
  const rule = header.map((_, column) => (column < words ? "---" : "--:"));
  return [header, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** A row's mean over its tasks. */
export function mean(row: readonly Result[], figure: "right" | "evidence" | "entries"): number {
  return row.reduce((sum, result) => sum + result[figure], 0) / row.length;
}

function keptText(kept: Kept | undefined): string {
  if (!kept) return "all";
  return kept.ratio === undefined ? kept.budget.toLocaleString("en-US") : `ratio ${kept.ratio}`;
}

/** A part as a whole percentage, and nothing where there is none. */
export function percent(part: number | undefined): string {
  return part === undefined ? "" : `${Math.round(100 * part)}%`;
}
