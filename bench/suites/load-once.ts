/** A process that loads a model and computes one token, for `loading` to look at. */
import process from "node:process";
import { loadModel } from "../../src/runtimes/node.ts";
import { promptTokens } from "../support/models.ts";

/** What it sends. */
export interface LoadFigures {
  readonly milliseconds: number;
  readonly weightBytes: number;
  /** The most that the core's memory held at once. */
  readonly corePeakBytes: number;
  /** The most that the process held at once, Node itself included. */
  readonly processPeakBytes: number;
}

const started = performance.now();
const model = await loadModel(process.argv[2]!);
model.createSession().prefill(promptTokens(model, 8));
const figures: LoadFigures = {
  milliseconds: performance.now() - started,
  weightBytes: model.memory.weightBytes,
  corePeakBytes: model.memory.peakBytes,
  processPeakBytes: process.resourceUsage().maxRSS * 1024,
};
process.send!(figures, () => process.exit());
