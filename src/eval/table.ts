/** Results as Markdown tables: one for each length and kind of question, a row for each method and budget. */
import { belongsTo, type Cell, type Kept, labelOf } from "./grid.ts";
import { wilson } from "./interval.ts";
import type { Result } from "./results.ts";

/** What belongs into one table or panel. */
export interface Group {
  readonly title: string;
  readonly results: readonly Result[];
}

/** Results by length and kind of question, in the order of the results; what does not depend on the kind stands in every group of its length. */
export function groupsOf(results: readonly Result[]): Group[] {
  const lengths = [...new Set(results.map(({ cell }) => cell.length))];
  return lengths.flatMap((length) => {
    const ofLength = results.filter(({ cell }) => cell.length === length);
    const questions = [...new Set(ofLength.map(({ cell }) => cell.question))];
    return questions.map((question) => ({
      title: `${length === undefined ? "Questions of the file" : `${length.toLocaleString("en-US")} tokens`}, question ${question}`,
      results: ofLength.filter(({ cell }) => belongsTo(cell, question)),
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

/** The best row, and those that the documents measured cannot tell from it, stand in bold. */
function markdownTable(results: readonly Result[]): string {
  const tasks = [...new Set(results.map(({ cell }) => cell.task))];
  const compared = results.some(({ f1 }) => f1 !== undefined);
  const header = [
    "method",
    "kept",
    "entries",
    ...tasks,
    "right",
    ...(compared ? ["exact", "F1"] : []),
    "evidence kept",
    "n",
  ];
  const rows = rowsOf(results);
  const best = Math.max(...rows.map((row) => interval(row)[0]));
  const lines = rows.map((row) => {
    const of = (task: Cell["task"]) => row.find(({ cell }) => cell.task === task);
    const right = withInterval(row);
    return [
      labelOf(row[0]!.cell),
      keptText(row[0]!.cell.kept),
      Math.round(mean(row, "entries") ?? 0).toLocaleString("en-US"),
      ...tasks.map((task) => withInterval([of(task) ?? []].flat())),
      interval(row)[1] >= best && right !== "" ? `**${right}**` : right,
      ...(compared ? [percent(mean(row, "exact")), percent(mean(row, "f1"))] : []),
      percent(mean(row, "evidence")),
      documentsOf(row).toLocaleString("en-US"),
    ];
  });
  return markdownLines(header, lines, 2);
}

/** Documents of all tasks of a row. */
function documentsOf(row: readonly Result[]): number {
  return row.reduce((sum, { documents }) => sum + documents, 0);
}

/** The interval at 95% of a row's right answers, of all its documents together. */
function interval(row: readonly Result[]): [low: number, high: number] {
  const documents = documentsOf(row);
  return documents === 0 ? [0, 0] : wilson(mean(row, "right")!, documents);
}

/** A row's right answers in percent with their interval: 88% (80-93). */
function withInterval(row: readonly Result[]): string {
  if (documentsOf(row) === 0) return "";
  const [low, high] = interval(row);
  return `${percent(mean(row, "right"))} (${Math.round(100 * low)}-${Math.round(100 * high)})`;
}

/** A table in Markdown. @param words columns that hold words, the first ones; the others hold numbers */
export function markdownLines(header: readonly string[], lines: readonly (readonly string[])[], words: number): string {
  const rule = header.map((_, column) => (column < words ? "---" : "--:"));
  return [header, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** A row's mean over its documents; undefined where none has the figure. */
export function mean(
  row: readonly Result[],
  figure: "right" | "exact" | "f1" | "evidence" | "entries",
): number | undefined {
  const measured = row.filter((result) => result.documents > 0 && result[figure] !== undefined);
  if (measured.length === 0) return undefined;
  return measured.reduce((sum, result) => sum + result[figure]! * result.documents, 0) / documentsOf(measured);
}

function keptText(kept: Kept | undefined): string {
  if (!kept) return "all";
  return kept.ratio === undefined ? kept.budget.toLocaleString("en-US") : `ratio ${kept.ratio}`;
}

/** A part as a whole percentage, and nothing where there is none. */
export function percent(part: number | undefined): string {
  return part === undefined ? "" : `${Math.round(100 * part)}%`;
}
