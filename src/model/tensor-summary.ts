/** What kinds of tensors a model came with and how they are held. */
import type { PackJob } from "./pack-tensors.ts";
import type { PackedTensor, WeightForm } from "./weights.ts";

/** The tensors of one type in the model's file that are held in one form. */
export interface TensorSummary {
  /** As the file has them: BF16, Q4_K, ... */
  readonly type: string;
  /** As the core's memory holds them. */
  readonly form: WeightForm;
  /** How many tensors. */
  readonly tensors: number;
  /** Numbers in them. */
  readonly parameters: number;
  /** Bytes in the file. */
  readonly byteLength: number;
}

/** Sums tensors up by type and form, in the order in which they first come. @param packed what has become of each job */
export function summariseTensors(jobs: readonly PackJob[], packed: readonly PackedTensor[]): TensorSummary[] {
  const groups = new Map<string, TensorSummary>();
  for (const [index, { entry }] of jobs.entries()) {
    const { held } = packed[index]!;
    const form = "form" in held ? held.form : "f32";
    const key = `${entry.type} ${form}`;
    const group = groups.get(key);
    groups.set(key, {
      type: entry.type,
      form,
      tensors: (group?.tensors ?? 0) + 1,
      parameters: (group?.parameters ?? 0) + entry.shape.reduce((product, size) => product * size, 1),
      byteLength: (group?.byteLength ?? 0) + entry.byteLength,
    });
  }
  return [...groups.values()];
}
