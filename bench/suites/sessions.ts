/** What sessions cost: fork, save, open, and their bytes. */
import { loadModel } from "../../src/runtimes/node.ts";
import { measureKernels } from "../support/measure.ts";
import { NANO, openDocument } from "../support/models.ts";
import { plainRow, type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";

export async function sessions(options: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  const model = await loadModel(NANO);
  const document = openDocument("chapter")!;
  for (const cache of ["f32", "q8"] as const) {
    const session = model.createSession({ cache });
    await session.read(document.text, { questions: document.questions });
    const capsule = session.save();
    const rates = await measureKernels(
      {
        fork: { work: 1, run: () => session.fork().dispose() },
        save: { work: 1, run: () => void session.save() },
        open: { work: 1, run: () => model.openSession(capsule).dispose() },
      },
      options,
    );
    const name = `nano, 512 entries, ${cache} cache`;
    rows.push(plainRow(`${name}: the cache`, "MB", session.byteLength / 1e6));
    rows.push(plainRow(`${name}: a capsule`, "MB", capsule.byteLength / 1e6));
    rows.push(rateRow(`${name}: fork`, "ms", rates.fork));
    rows.push(rateRow(`${name}: save`, "ms", rates.save));
    rows.push(rateRow(`${name}: open`, "ms", rates.open));
  }
  model.dispose();
  return { title: "Sessions", rows };
}
