/** Who may ask: the Host that is expected (against DNS rebinding), the origins that may read answers, and the bearer of the key. */
import { HttpError } from "./errors.ts";

/** What a guard lets pass. */
export interface GuardOptions {
  /** Names under which the server is reached, without port; default those of this machine. */
  readonly hosts?: readonly string[] | "any" | undefined;
  /** Origins of pages that may read answers, or "*"; default none. */
  readonly origins?: readonly string[] | "*" | undefined;
  /** The key that requests have to bear; default none. */
  readonly apiKey?: string | undefined;
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** Checks requests. */
export class Guard {
  readonly #hosts: readonly string[] | "any";
  readonly #origins: readonly string[] | "*";
  readonly #apiKey: string | undefined;

  constructor({ hosts = LOOPBACK, origins = [], apiKey }: GuardOptions) {
    this.#hosts = hosts === "any" ? hosts : hosts.map((host) => host.toLowerCase());
    this.#origins = origins;
    this.#apiKey = apiKey;
  }

  /** @throws HttpError 403 for a request under a name that is not the server's */
  checkHost(request: Request): void {
    if (this.#hosts === "any") return;
    const host = (request.headers.get("host") ?? new URL(request.url).host).toLowerCase().replace(/:\d+$/, "");
    if (!this.#hosts.includes(host))
      throw new HttpError(403, "The server is not reached under this name", null, "host_not_allowed");
  }

  /** @throws HttpError 401 without the key */
  async checkKey(request: Request): Promise<void> {
    if (this.#apiKey === undefined) return;
    const given = /^Bearer (.*)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
    if (!(await isSame(given, this.#apiKey))) {
      const headers = { "www-authenticate": "Bearer" };
      throw new HttpError(401, "The API key is missing or not the server's", null, "invalid_api_key", headers);
    }
  }

  /** Headers that let a page of the request's origin read the answer; none for other origins. */
  corsHeaders(request: Request): Record<string, string> {
    const origin = request.headers.get("origin");
    if (origin === null) return {};
    if (this.#origins !== "*" && !this.#origins.includes(origin)) return {};
    const allowed = this.#origins === "*" ? "*" : origin;
    return { "access-control-allow-origin": allowed, ...(allowed === "*" ? {} : { vary: "origin" }) };
  }
}

/** Headers that answer a page which asks what it may send. */
export const PREFLIGHT_HEADERS = {
  "access-control-allow-methods": "GET, POST, OPTIONS",
  "access-control-allow-headers":
    "authorization, content-type, x-stainless-arch, x-stainless-helper-method, x-stainless-lang, x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout",
  "access-control-max-age": "600",
};

/** Compares in a time that does not tell where texts differ, or how long they are: by their digests, all of them. */
async function isSame(one: string, other: string): Promise<boolean> {
  const digest = async (text: string) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const [left, right] = [await digest(one), await digest(other)];
  let difference = 0;
  for (const [index, byte] of left.entries()) difference |= byte ^ right[index]!;
  return difference === 0;
}
