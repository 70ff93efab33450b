/** Loading a model in a fresh process up to its first token: time and memory. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { NANO, smolLm2 } from "../support/models.ts";
import { median, plainRow, type Row, type SuiteOptions, type Table } from "../support/report.ts";
import type { LoadFigures } from "./load-once.ts";

export async function loading({ quick }: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  for (const [name, path] of [
    ["nano", NANO],
    ["SmolLM2-135M Q4_1", smolLm2()],
  ] as const) {
    if (path === undefined) continue;
    const figures: LoadFigures[] = [];
    for (let round = 0; round < (quick ? 2 : 7); round++) {
      const child = fork(new URL("./load-once.mjs", import.meta.url), [path]);
      figures.push((await once(child, "message"))[0] as LoadFigures);
    }
    const row = (what: string, unit: string, of: (each: LoadFigures) => number) =>
      plainRow(`${name}: ${what}`, unit, median(figures.map(of)));
    rows.push(row("load to first token", "ms", ({ milliseconds }) => milliseconds));
    rows.push(row("weights", "MB", ({ weightBytes }) => weightBytes / 1e6));
    rows.push(row("the core's peak", "MB", ({ corePeakBytes }) => corePeakBytes / 1e6));
    rows.push(row("the process's peak", "MB", ({ processPeakBytes }) => processPeakBytes / 1e6));
  }
  return { title: "Loading in a fresh process", rows };
}
