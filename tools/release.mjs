/**
 * `npm run release -- --dry-run` packs both packages, tests the tarballs and says what would be published; without --dry-run it
 * publishes them.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

const dryRun = process.argv.includes("--dry-run");
const run = (command, ...words) => execFileSync(command, words, { stdio: "inherit" });
const output = (command, ...words) => execFileSync(command, words, { encoding: "utf8" }).trim();

const packages = [
  { folder: ".", pack: [] },
  { folder: "packages/nano", pack: ["--workspace", "siskin-nano"] },
].map((one) => ({ ...one, ...JSON.parse(readFileSync(`${one.folder}/package.json`, "utf8")) }));

const faults = [];
if (output("git", "status", "--porcelain")) faults.push("there are changes that are not committed");
const [{ version }] = packages;
for (const { name, version: other } of packages)
  if (other !== version) faults.push(`${name} is ${other}, siskin ${version}`);
if (!readFileSync("packages/nano/edge.js", "utf8").includes(`siskin-nano@${version}/`)) {
  faults.push(`packages/nano/edge.js does not name siskin-nano@${version}`);
}
if (!readFileSync("CHANGELOG.md", "utf8").includes(`## [${version}]`)) {
  faults.push(`CHANGELOG.md has no section [${version}]`);
}
if (faults.length && !dryRun) throw new Error(`Not yet: ${faults.join("; ")}`);

run("npm", "run", "--silent", "test:runtimes");
for (const { name, pack } of packages) {
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(
    output("npm", "pack", "--dry-run", "--json", "--ignore-scripts", ...pack),
  );
  console.log(`${name}@${version}: ${filename}, ${entryCount} files, ${size} bytes packed, ${unpackedSize} unpacked`);
  if (!dryRun) run("npm", "publish", ...pack);
}
for (const fault of faults) console.log(`to be done before it can be published: ${fault}`);
