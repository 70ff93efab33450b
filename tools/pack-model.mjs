/**
 * Makes the model of a package: `npm run pack-model -- FOLDER FILE.gguf` writes the Llama model of a folder (config.json,
 * tokenizer.json, model.safetensors in bfloat16 ...) as one GGUF file with weights of 8 bits. The build makes siskin-nano's so.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { bundle } from "./bundle.mjs";

/** @param folder the model's @param file what is written, or left as it was */
export async function packModel(folder, file) {
  const scripts = ".tools";
  try {
    await bundle(["tools/llama-gguf.ts"], scripts, {
      outExtension: { ".js": ".mjs" },
      platform: "node",
      target: "node20",
      packages: "external",
    });
    const { llamaGguf } = await import(pathToFileURL(resolve(scripts, "llama-gguf.mjs")).href);
    const bytes = await llamaGguf(folder, "Q8_0");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.part`, bytes);
    renameSync(`${file}.part`, file);
    return bytes.length;
  } finally {
    rmSync(scripts, { recursive: true, force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, file] = process.argv.slice(2);
  if (!file) throw new Error("npm run pack-model -- FOLDER FILE.gguf");
  console.log(`${file}: ${await packModel(folder, file)} bytes`);
}
