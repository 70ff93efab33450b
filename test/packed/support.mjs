/** A user's folder with the packed tarballs in it, and ways to run things there. */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { suite } from "uvu";

/** Where the packages of these tests lie. */
export const tools = (path) => resolve("test/packed/node_modules", path);

/** The environment without what npm, which runs these tests, says to its children. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")));

const all = suite("packed");
const pattern = new RegExp(process.env.PACKED_PATTERN ?? ".");

/** Registers a test; where a file that it needs is missing, skips it and says so. */
export function test(name, body, needed = []) {
  if (!pattern.test(name)) return;
  const missing = [needed].flat().find((path) => !path || !existsSync(path));
  const timed = async () => {
    const start = Date.now();
    try {
      await body();
    } finally {
      console.log(`${name}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
    }
  };
  if (missing === undefined && needed !== undefined) all(name, timed);
  else {
    all.skip(name, timed);
    console.log(`skipped: ${name} (there is no ${missing})`);
  }
}

/** Runs a command in a folder. @returns what it printed @throws Error with what it said when it fails */
export async function run(cwd, command, ...words) {
  try {
    const { stdout } = await promisify(execFile)(command, words, { cwd, env, maxBuffer: 1 << 28 });
    return stdout;
  } catch (error) {
    throw new Error(`${command} ${words.join(" ")}\n${error.stdout}\n${error.stderr}`);
  }
}

const folder = mkdtempSync(join(tmpdir(), "siskin-packed-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** The tarballs, as `npm publish` would send them. */
export const tarballs = ["siskin", "siskin-nano"].map((name) => {
  const words = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const [{ filename, files, size }] = JSON.parse(
    execFileSync("npm", name === "siskin" ? words : [...words, "--workspace", name], { encoding: "utf8", env }),
  );
  return { name, path: join(folder, filename), files: files.map(({ path }) => path), size };
});

/** A fresh folder in which both are installed. */
export function install(name, packageJson = {}) {
  const app = join(folder, name);
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), JSON.stringify({ type: "module", private: true, ...packageJson }));
  const words = ["install", "--no-audit", "--no-fund", ...tarballs.map(({ path }) => path)];
  const said = execFileSync("npm", words, { cwd: app, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  cpSync("test/packed/consumer", app, { recursive: true });
  return { app, said };
}

/** The folder that most tests use. */
export const { app } = install("app");

const document = resolve("test/fixtures/documents/chapter");
export const text = readFileSync(`${document}.txt`, "utf8");
const facts = JSON.parse(readFileSync(`${document}.json`, "utf8")).questions;
export const questions = facts.map(({ question }) => question);

/** How many answers hold what was planted. */
export const right = (answers) => answers.filter((answer, index) => answer.includes(facts[index].answer)).length;

test.after = (hook) => all.after(hook);
test.run = () => all.run();
