/** Rolls the declarations of an entry up into one file, in which classes that are not exported as values are types only. */
import { writeFileSync } from "node:fs";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

/**
 * @param input the entry's own declarations, as the compiler writes them
 * @param file where the rolled-up ones go
 * @param values the names that the entry exports at run time: the bundler knows them, the plug-in takes every class for one
 */
export async function rollDeclarations(input, file, values) {
  const rolled = await rollup({ input, external: /^node:/, plugins: [dts()] });
  const { output } = await rolled.generate({ format: "es" });
  const { code, exports } = output[0];
  const isValue = (name) => values.includes(name);
  const body = code.replaceAll(/^export (type )?\{[^}]*\};\n/gm, "");
  // Only what stands at the top counts.
  const references = body.match(/^\/\/\/ <reference .*\n/gm) ?? [];
  writeFileSync(
    file,
    [
      ...references,
      body.replaceAll(/^\/\/\/ <reference .*\n/gm, ""),
      `export { ${exports.filter(isValue).join(", ")} };\n`,
      `export type { ${exports.filter((name) => !isValue(name)).join(", ")} };\n`,
    ].join(""),
  );
}
