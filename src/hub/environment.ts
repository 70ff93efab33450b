/** Where the Hub and its cache are, as huggingface_hub finds them: by the environment of Node, Deno or Bun. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { UnsupportedError } from "../errors.ts";

/** Undefined for one that is empty, or that Deno was not allowed to read. */
function variable(name: string): string | undefined {
  try {
    return process.env[name]?.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** @throws UnsupportedError where Deno was not allowed to tell */
function userFolder(): string {
  try {
    return variable("HOME") ?? homedir();
  } catch (cause) {
    throw new UnsupportedError(`The cache of models cannot be found: ${(cause as Error).message}`, { cause });
  }
}

const expanded = (path: string): string => (/^~(?=$|[/\\])/.test(path) ? join(userFolder(), path.slice(1)) : path);

/** HF_HOME: where huggingface_hub has its files. */
function hubHome(): string {
  const home = variable("HF_HOME");
  return home ? expanded(home) : join(variable("XDG_CACHE_HOME") ?? join(userFolder(), ".cache"), "huggingface");
}

/** HF_HUB_CACHE: the folder of models. */
export function cacheFolder(): string {
  const given = variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE");
  return given ? expanded(given) : join(hubHome(), "hub");
}

/** HF_ENDPOINT. */
export function givenEndpoint(): string | undefined {
  return variable("HF_ENDPOINT");
}

/** HF_TOKEN, or what `hf auth login` has kept. */
export async function givenToken(): Promise<string | undefined> {
  const given = variable("HF_TOKEN") ?? variable("HUGGING_FACE_HUB_TOKEN");
  if (given) return given;
  const path = variable("HF_TOKEN_PATH");
  const text = await readFile(path ? expanded(path) : join(hubHome(), "token"), "utf8").catch(() => "");
  return text.trim() || undefined;
}

/** HF_HUB_OFFLINE: whether the Hub is not to be asked. */
export function isOffline(): boolean {
  return /^(1|on|yes|true)$/i.test(variable("HF_HUB_OFFLINE") ?? variable("TRANSFORMERS_OFFLINE") ?? "");
}
