/** Models whose GGUF lies in parts, as llama.cpp's gguf-split cuts them: NAME-00001-of-00003.gguf and so on. */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import type { ByteSource } from "./source.ts";
import { closingOnError, type TensorFile } from "./tensor-file.ts";

/** What lies beside the first part. */
export interface Siblings {
  /** The first part's own name, without its folder. */
  readonly name: string;
  /** Undefined when there is no such file. */
  open(name: string): Promise<ByteSource | undefined>;
}

/** The name of part `number`, from 1 on, of the model that the part `name` belongs to; undefined for any other name. */
function partName(name: string, number: number): string | undefined {
  const match = /^(.*-)\d{5}(-of-\d{5}\.gguf)$/s.exec(name);
  return match ? `${match[1]}${fiveDigits(number)}${match[2]}` : undefined;
}

/**
 * The whole model behind its first part; a file that is no part as it is.
 * @param first becomes the model's: closed with it, and when this throws
 * @param siblings absent where nothing lies beside the file
 * @param openPart reads the header of a part
 * @throws FormatError when a part is missing or is another, or when they do not add up to the tensors that they should
 */
export async function joinParts(
  first: TensorFile,
  file: string,
  siblings: Siblings | undefined,
  openPart: (source: ByteSource) => Promise<TensorFile>,
): Promise<TensorFile> {
  const parts = [first];
  return closingOnError(parts, async () => {
    const count = splitNumber(first, "split.count", file) ?? 1;
    if (count <= 1) return first;
    const number = splitNumber(first, "split.no", file);
    if (number !== 0)
      throw new FormatError(file, `is part ${number ?? "?"} (of 0 to ${count - 1}); give part 0, the first`);
    if (!siblings) {
      throw new FormatError(file, `is one of ${count} parts: give the path or URL of the first, or a record of all`);
    }
    const ending = `-00001-of-${fiveDigits(count)}.gguf`;
    if (!siblings.name.endsWith(ending)) {
      throw new FormatError(file, `is the first of ${count} parts, whose names should end in ${ending} and so on`);
    }
    const byName = new Map(first.tensors.map(({ name }) => [name, file]));
    for (let index = 1; index < count; index++) {
      const name = partName(siblings.name, index + 1)!;
      const source = await siblings.open(name);
      if (!source) throw new FormatError(name, `is missing: ${file} is the first of ${count} parts`);
      const part = await openPart(source);
      parts.push(part);
      checkPart(part, name, index, count);
      for (const tensor of part.tensors) {
        const other = byName.get(tensor.name);
        if (other) throw new FormatError(name, `has a tensor ${tensor.name}, and so has ${other}`, tensor.byteOffset);
        byName.set(tensor.name, name);
      }
    }
    const total = splitNumber(first, "split.tensors.count", file);
    if (total !== byName.size) {
      throw new FormatError(
        file,
        `says that its parts have ${total ?? "?"} tensors in all, and they have ${byName.size}`,
      );
    }
    return {
      tensors: parts.flatMap(({ tensors }) => tensors),
      metadata: first.metadata,
      async close() {
        await Promise.all(parts.map((part) => part.close()));
      },
    };
  });
}

function checkPart(part: TensorFile, name: string, index: number, count: number): void {
  const number = splitNumber(part, "split.no", name);
  if (number !== index) throw new FormatError(name, `should be part ${index} (split.no) and is ${number ?? "none"}`);
  const itsCount = splitNumber(part, "split.count", name) ?? count;
  if (itsCount !== count)
    throw new FormatError(name, `is one of ${itsCount} parts (split.count), the first of ${count}`);
}

function splitNumber({ metadata }: TensorFile, key: string, file: string): number | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number) || number < 0) {
    throw new FormatError(file, `${key} should be a whole number and is ${show(value)}`);
  }
  return number;
}

function fiveDigits(number: number): string {
  return String(number).padStart(5, "0");
}
