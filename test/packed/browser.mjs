/** Headless Chromium, and a server of static files. */
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import process from "node:process";
import { chromium } from "playwright-core";

/** The browser's program, which must be installed. */
export const executablePath =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync) ?? "/usr/bin/chromium";

/** The headers of a page that may use threads. */
export const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/** Serves a folder. @returns its address, and what ends it */
export async function serve(folder, headers = isolation) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { ...headers, "Content-Type": types[extname(file)] ?? "application/octet-stream" });
    return createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, listening));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://localhost:${server.address().port}/`, close };
}

let browser;

export const browserVersion = () => browser.version();

/** Opens a page. @throws Error with what the page said */
export async function openPage(url, use) {
  browser ??= await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await browser.newPage();
  const said = [];
  page.on("pageerror", (error) => said.push(error.message));
  page.on("console", (message) => said.push(message.text()));
  try {
    await page.goto(url);
    return await use(page);
  } catch (error) {
    throw new Error(`${error.message.slice(0, 2000)}\n${said.join("\n")}`);
  } finally {
    await page.close();
  }
}

/** Ends the browser, if one was started. */
export async function closeBrowser() {
  await browser?.close();
}
