/** A process that tries one input after another, as its parent says, and tells what came of each. */
import process from "node:process";
import { SiskinError, Tensor } from "../../src/runtimes/node.ts";
import { Dice } from "../support/random.ts";
import { forgedCapsules, model, sessions, tensors } from "./calls.ts";
import { folders, ggufFiles, tokenizers } from "./models.ts";
import { templates } from "./templates.ts";

const kinds: Record<string, (dice: Dice) => unknown> = {
  gguf: ggufFiles,
  folder: folders,
  tokenizer: tokenizers,
  template: templates,
  capsule: forgedCapsules,
  tensor: tensors,
  session: sessions,
};

const probe = () => {
  const session = model.createSession();
  const logits = session.prefill([1, 2, 3, 4, 5]);
  session.dispose();
  return logits.join();
};
const right = probe();
const bytes = model.memory.bytesInUse;

/** Whether the engine still computes what it did, and holds no more than it did. */
function fault(): string | undefined {
  if (probe() !== right) return "the engine's logits have changed";
  if (model.memory.bytesInUse > bytes + 4e6) return `${model.memory.bytesInUse - bytes} bytes stayed allocated`;
  const product = Tensor.from([1, 2, 3, 4], [2, 2]).matmul(Tensor.from([1, 0, 0, 1], [2, 2]));
  if (product.toArray().join() !== "1,2,3,4") return "a tensor's product has changed";
  return undefined;
}

process.on("message", async ({ kind, seed, count }: { kind: string; seed: number; count: number }) => {
  for (let input = seed; input < seed + count; input++) {
    process.send!({ input });
    const used = process.cpuUsage();
    const peak = process.resourceUsage().maxRSS;
    let outcome = "accepted";
    let violation: string | undefined;
    try {
      await kinds[kind]!(new Dice(input));
    } catch (error) {
      outcome = "refused";
      if (!(error instanceof SiskinError)) violation = `${(error as Error)?.name}: ${(error as Error)?.stack ?? error}`;
      else if (error.message.length > 2000) violation = `a message of ${error.message.length} characters`;
    }
    const { user, system } = process.cpuUsage(used);
    const seconds = (user + system) / 1e6;
    if (seconds > 2) violation ??= `${seconds.toFixed(1)} s`;
    const grown = (process.resourceUsage().maxRSS - peak) / 1024;
    if (grown > 300) violation ??= `${grown.toFixed(0)} MB more`;
    process.send!({ input, outcome, violation });
  }
  process.send!({ done: true, violation: fault() });
});
process.send!({ ready: Object.keys(kinds) });
