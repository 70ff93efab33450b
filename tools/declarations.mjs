/** Rolls the declarations of the entries up: one file, in which classes that are not exported as values are types only. */
import { writeFileSync } from "node:fs";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

/**
 * @param input the entry's own declarations, as the compiler writes them
 * @param file where the rolled-up ones go
 * @param values the names that the entry exports at run time: the bundler knows them, the plug-in takes every class for one
 */
export async function rollDeclarations(input, file, values) {
  const rolled = await rollup({ input, external: /^node:|\.wasm/, plugins: [dts()] });
  const { output } = await rolled.generate({ format: "es" });
  const { code, exports } = output[0];
  const isValue = (name) => values.includes(name);
  const types = exports.filter((name) => !isValue(name));
  const body = code.replaceAll(/^export (type )?\{[^}]*\};\n/gm, "");
  // Only what stands at the top counts.
  const references = ['/// <reference path="./web.d.ts" />\n', ...(body.match(/^\/\/\/ <reference .*\n/gm) ?? [])];
  writeFileSync(
    file,
    [
      ...references,
      body.replaceAll(/^\/\/\/ <reference .*\n/gm, ""),
      `export { ${exports.filter(isValue).join(", ")} };\n`,
      types.length ? `export type { ${types.join(", ")} };\n` : "",
    ].join(""),
  );
}

/**
 * Writes the declarations of an entry that exports a part of what another does: the same types, not others that look alike.
 *
 * @param input as for `rollDeclarations`
 * @param from the module that has them
 */
export async function redeclare(input, file, from, values) {
  const rolled = await rollup({ input, external: /^node:/, plugins: [dts()] });
  const { output } = await rolled.generate({ format: "es" });
  const types = output[0].exports.filter((name) => !values.includes(name));
  const lines = [
    `export { ${values.join(", ")} } from "${from}";`,
    `export type { ${types.join(", ")} } from "${from}";`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
}
