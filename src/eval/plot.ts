/** Draws answers right against entries kept, one line a method and one panel for each table, as SVG. */
import { type ScaleLinear, type ScaleLogarithmic, scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { type Cell, labelOf } from "./grid.ts";
import type { Result } from "./results.ts";
import { type Group, groupsOf, mean, rowsOf } from "./table.ts";

const WIDTH = 720;
const PANEL = 330;
const MARGIN = { top: 40, right: 190, bottom: 50, left: 60 };
// Okabe and Ito's colours, which colour-blind people tell apart; further methods get dashes.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "1 4", "12 4"];
const STYLE =
  "text{font:12px system-ui,sans-serif;fill:#222}.axis{stroke:#888;fill:none}.grid{stroke:#8884;fill:none}" +
  "@media(prefers-color-scheme:dark){text{fill:#ddd}}";

interface Point {
  readonly entries: number;
  readonly right: number;
}

/** An SVG document. */
export function plot(results: readonly Result[]): string {
  const groups = groupsOf(results);
  const methods = [...new Set(results.filter(({ cell }) => cell.kept).map(({ cell }) => labelOf(cell)))];
  const height = Math.max(PANEL, MARGIN.top + 40 + 18 * methods.length);
  const panels = groups.map(
    (group, index) => `<g transform="translate(0 ${index * height})">${panel(group, methods)}</g>`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height * groups.length}" role="img">` +
    `<title>Right answers against entries kept</title><style>${STYLE}</style>${panels.join("")}</svg>\n`
  );
}

function panel({ title, results }: Group, methods: readonly string[]): string {
  const rows = rowsOf(results);
  const pointsOf = (belongs: (cell: Cell) => boolean): Point[] =>
    rows
      .filter((row) => belongs(row[0]!.cell))
      .map((row) => ({ entries: mean(row, "entries") ?? 0, right: 100 * (mean(row, "right") ?? 0) }))
      .filter(({ entries }) => entries > 0)
      .sort((a, b) => a.entries - b.entries);
  const entries = pointsOf(() => true).map(({ entries }) => entries);
  const x = scaleLog()
    .domain([Math.min(...entries) * 0.9, Math.max(...entries) * 1.1])
    .range([MARGIN.left, WIDTH - MARGIN.right]);
  const y = scaleLinear()
    .domain([0, 100])
    .range([PANEL - MARGIN.bottom, MARGIN.top]);
  const parts = [text(MARGIN.left, 22, title, "start", ' font-weight="bold"'), ...axes(x, y)];
  for (const { right } of pointsOf(({ method }) => method === "all")) {
    parts.push(`<path class="axis" stroke-dasharray="4 4" d="M${x.range()[0]} ${round(y(right))}H${x.range()[1]}"/>`);
    parts.push(text(x.range()[1]!, y(right) - 5, "whole cache", "end"));
  }
  const draw = line<Point>()
    .x(({ entries }) => round(x(entries)))
    .y(({ right }) => round(y(right)));
  for (const [index, method] of methods.entries()) {
    const list = pointsOf((cell) => cell.kept !== undefined && labelOf(cell) === method);
    const stroke = COLOURS[index % COLOURS.length]!;
    const dash = DASHES[Math.floor(index / COLOURS.length) % DASHES.length]!;
    const style = `fill="none" stroke="${stroke}" stroke-width="2" stroke-dasharray="${dash}"`;
    const key = MARGIN.top + 24 + 18 * index;
    parts.push(`<path ${style} d="${draw(list) ?? ""}"/>`);
    for (const { entries, right } of list) {
      parts.push(`<circle cx="${round(x(entries))}" cy="${round(y(right))}" r="3.5" fill="${stroke}"/>`);
    }
    parts.push(`<path ${style} d="M${WIDTH - 150} ${key}h24"/>`, text(WIDTH - 120, key + 4, method));
  }
  return parts.join("");
}

function axes(x: ScaleLogarithmic<number, number>, y: ScaleLinear<number, number>): string[] {
  const [left, right] = x.range() as [number, number];
  const [bottom, top] = y.range() as [number, number];
  const format = x.tickFormat(6, ",");
  return [
    ...y
      .ticks(5)
      .flatMap((tick) => [
        `<path class="grid" d="M${left} ${round(y(tick))}H${right}"/>`,
        text(left - 8, y(tick) + 4, `${tick}%`, "end"),
      ]),
    ...x
      .ticks(6)
      .filter((tick) => format(tick) !== "")
      .flatMap((tick) => [
        `<path class="axis" d="M${round(x(tick))} ${bottom}v5"/>`,
        text(x(tick), bottom + 19, format(tick), "middle"),
      ]),
    `<path class="axis" d="M${left} ${top}V${bottom}H${right}"/>`,
    text((left + right) / 2, bottom + 40, "entries kept", "middle"),
  ];
}

function text(x: number, y: number, words: string, anchor = "start", more = ""): string {
  const escaped = words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${more}>${escaped}</text>`;
}

/** To a tenth of a pixel: files stay small, and alike on every runtime. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
