/** Where engines live: processes of Node, and pages of a headless Chromium. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { serve } from "./serve.mjs";

/** An engine in a process of its own. @returns run(job) and close() */
export async function nodeEngine(module, options) {
  const child = fork(fileURLToPath(new URL("./node-host.mjs", import.meta.url)), [module, JSON.stringify(options)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`${module} has ended with code ${code}`);
  });
  ended.catch(() => {});
  const answer = async () => (await Promise.race([once(child, "message"), ended]))[0];
  await answer();
  return {
    run: (job) => {
      child.send(job);
      return answer();
    },
    close: async () => void child.kill(),
  };
}

/** Chromium with the given folders mounted; CHROMIUM says where it is. @returns open(module, options) and close() */
export async function browser(mounts) {
  const { chromium } = await import("playwright-core");
  const profile = mkdtempSync(join(tmpdir(), "siskin-bench-"));
  const { origin, close } = await serve(mounts);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Pages in the background would be slowed down.
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-renderer-backgrounding"],
  });
  return {
    /** An engine in a page of its own. @returns run(job) and close() */
    async open(module, options) {
      const page = await context.newPage();
      page.setDefaultTimeout(0);
      page.on("pageerror", (error) => console.error(error.message));
      await page.goto(`${origin}/blank`);
      await page.evaluate(
        async ([url, settings]) => {
          globalThis.engine = await (await import(url)).open(settings);
        },
        [module, options],
      );
      return {
        async run(job) {
          await page.bringToFront();
          return page.evaluate((work) => globalThis.engine.run(work), job);
        },
        close: () => page.close(),
      };
    },
    async close() {
      await context.close();
      close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
