/** Tensor files of a kind that only their first bytes tell. */
import { openGguf } from "./gguf.ts";
import { openSafetensors } from "./safetensors.ts";
import { type ByteSource, readBytes, withPrefix } from "./source.ts";
import { closingOnError, type TensorFile } from "./tensor-file.ts";

/**
 * A GGUF file, or else a safetensors file.
 *
 * @param source becomes the file's: closed with it, and when this throws
 * @throws FormatError
 */
export async function openTensorFile(source: ByteSource): Promise<TensorFile> {
  const magic = await closingOnError([source], () => readBytes(source, 0, 4));
  const whole = withPrefix(magic, source);
  return String.fromCharCode(...magic) === "GGUF" ? openGguf(whole) : openSafetensors(whole);
}
