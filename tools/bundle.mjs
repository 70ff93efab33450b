/** The one set-up of the bundler: what is built, tested and measured is bundled with it. */
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

/**
 * Bundles the entries to ES modules in `folder`.
 *
 * @param options esbuild's, beside what all bundles share
 * @returns esbuild's list of what was read and written
 */
export async function bundle(entryPoints, folder, options) {
  const { metafile } = await build({
    entryPoints,
    outdir: folder,
    bundle: true,
    format: "esm",
    metafile: true,
    logLevel: "warning",
    ...options,
  });
  return metafile;
}

/**
 * Bundles scripts with the sources they use for Node, Deno and Bun, as `NAME.mjs` in `folder`, which is emptied before.
 *
 * @returns as `bundle`
 */
export async function bundleScripts(entryPoints, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const metafile = await bundle(entryPoints, folder, {
    outExtension: { ".js": ".mjs" },
    entryNames: "[name]",
    splitting: true,
    platform: "node",
    target: "node20",
    packages: "external",
    sourcemap: "inline",
  });
  // The sources look for the core and the workers' script beside the bundle.
  for (const name of readdirSync("dist")) {
    if (/\.wasm$|^worker-node\.js$/.test(name)) cpSync(`dist/${name}`, `${folder}/${name}`);
  }
  return metafile;
}
