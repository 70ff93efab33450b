/** Writes a suite's table for the terminal and in Markdown. */

const HEADINGS = ["what", "median", "best", "ratio"];

/** A table with aligned columns. */
export function terminal({ title, rows }) {
  const lines = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const text = lines.map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  "),
  );
  return `\n${title}\n${text.map((line) => `  ${line.trimEnd()}`).join("\n")}`;
}

/** The same in Markdown, with the machine it was measured on. */
export function markdown({ title, rows }, { processor, cores, node, flavour }) {
  const lines = [HEADINGS, ["---", "--:", "--:", "--:"], ...rows.map(cells)];
  const table = lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
  return `**${title}.** ${processor}, ${cores} cores, Node ${node}, ${flavour} SIMD.\n\n${table}\n`;
}

function cells({ what, unit, median, best, ratios = [] }) {
  return [
    what,
    `${number(median)} ${unit}`,
    best === undefined ? "" : number(best),
    ratios.map(({ value, to }) => `${value.toFixed(2)} x ${to}`).join(", "),
  ];
}

/** Three digits that matter. */
function number(value) {
  const digits = Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(Math.abs(value) || 1))));
  return value.toFixed(digits);
}
