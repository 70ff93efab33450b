/** A user's TypeScript: every sub-path, under every setting of the compiler that is tried. */
import { type LoadOptions, loadModel, type Model, siskin, snapKV } from "siskin";
import relaxed from "siskin/core.relaxed.wasm";
import core from "siskin/core.wasm";
import { embeddedCore } from "siskin/core-embedded";
import { press } from "siskin/press";
import { loadCore, Tensor } from "siskin/tensor";
import { loadModel as loadInWorker } from "siskin/worker";
import nano from "siskin-nano";

const session0 = (..._: unknown[]) => {};
const options: LoadOptions = { core, threads: 1 };
export async function answer(text: string, question: string): Promise<string> {
  await loadCore({ core: relaxed });
  const model: Model = await loadModel(nano, options);
  const other: Model = await loadModel(nano, { core: await embeddedCore() });
  other.dispose();
  session0(press("snapkv"), loadInWorker);
  const session = model.createSession();
  await session.read(text, { questions: question, press: siskin(), budget: 512 });
  session.compress(snapKV(), { budget: 64 });
  let all = "";
  for await (const piece of session.ask(question)) all += piece;
  const tensor: Tensor = Tensor.from([1, 2], [1, 2]);
  return `${all} ${tensor.shape.length} ${model.singleThreadReason ?? ""}`;
}
// @ts-expect-error: a slip must not pass
options.thread = 2;
