/** Measures kernels with benny and long operations by the clock, round after round, so that noise hits all of a round alike. */
import benny from "benny";
import type { SuiteOptions } from "./report.ts";

/** Something to measure: `run` does `work` operations, bytes, rows or tokens. */
export interface Case {
  readonly work: number;
  run(): void;
}

/**
 * Measures kernels, which take micro- to milliseconds. benny runs one case after the other; several short rounds of it
 * let cases of a round be compared.
 * @returns for each case its work a second in every round
 */
export async function measureKernels<Name extends string>(
  cases: Readonly<Record<Name, Case>>,
  { quick }: SuiteOptions,
): Promise<Record<Name, number[]>> {
  const rates = emptyRates(cases);
  const settings = benny.configure({
    cases: quick
      ? { delay: 0, minTime: 0.01, maxTime: 0.05, minSamples: 3 }
      : { delay: 0, minTime: 0.02, maxTime: 0.2, minSamples: 5 },
  });
  const names = Object.keys(cases) as Name[];
  for (let round = 0; round < (quick ? 3 : 9); round++) {
    const { results } = await benny.suite(
      "kernels",
      ...names.map((name) => benny.add(name, () => () => cases[name].run())),
      settings,
    );
    for (const { name, details } of results) rates[name as Name].push(cases[name as Name].work / details.median);
  }
  return rates;
}

/**
 * Measures what takes longer than a few milliseconds, once a round: benny would call each case some ten times in
 * succession. One round before them warms up.
 * @returns for each case its work a second in every round
 */
export function measureRuns<Name extends string>(
  cases: Readonly<Record<Name, Case>>,
  rounds: number,
): Record<Name, number[]> {
  const rates = emptyRates(cases);
  const names = Object.keys(cases) as Name[];
  for (const name of names) cases[name].run();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const started = performance.now();
      cases[name].run();
      rates[name].push((cases[name].work * 1000) / (performance.now() - started));
    }
  }
  return rates;
}

function emptyRates<Name extends string>(cases: Readonly<Record<Name, Case>>): Record<Name, number[]> {
  return Object.fromEntries(Object.keys(cases).map((name) => [name, []])) as unknown as Record<Name, number[]>;
}
