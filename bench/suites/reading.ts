/** Reading documents with their questions: tokens a second, its first quarter against its last, and the memory it takes. */
import { loadModel } from "../../src/node.ts";
import { NANO, openDocument } from "../support/models.ts";
import { median, plainRow, type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";

export async function reading(options: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  for (const name of options.quick ? (["chapter"] as const) : (["chapter", "story", "book"] as const)) {
    const document = openDocument(name);
    if (!document) continue;
    for (const threads of [1, 2]) {
      const model = await loadModel(NANO, { threads });
      const session = model.createSession();
      const times: number[] = [performance.now()];
      const counts: number[] = [0];
      await session.read(document.text, {
        questions: document.questions,
        onProgress: ({ tokensRead }) => {
          times.push(performance.now());
          counts.push(tokensRead);
        },
      });
      const { peakBytes, weightBytes } = model.memory;
      model.dispose();
      const tokens = counts.at(-1)!;
      const seconds = (times.at(-1)! - times[0]!) / 1000;
      const title = `${name}, ${tokens} tokens, ${document.questions.length} questions, ${threads} threads`;
      rows.push(rateRow(title, "tokens/s", [tokens / seconds]));
      // The first chunk meets an empty cache, the last is a short one.
      const speeds = times
        .slice(1)
        .map((time, chunk) => (counts[chunk + 1]! - counts[chunk]!) / (time - times[chunk]!));
      const full = speeds.slice(1, -1);
      const quarter = Math.floor(full.length / 4);
      if (quarter > 1) {
        const ratio = median(full.slice(-quarter)) / median(full.slice(0, quarter));
        rows.push(plainRow(`${title}: speed of the last quarter over the first's`, "x", ratio));
      }
      rows.push(plainRow(`${title}: most memory at once`, "MB", peakBytes / 1e6));
      rows.push(plainRow(`${title}: of that besides the weights`, "MB", (peakBytes - weightBytes) / 1e6));
    }
  }
  return { title: "Reading documents with nano (f32, 512 entries, chunks of 512)", rows };
}
