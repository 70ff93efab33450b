/** The Hub's documented addresses: what a repository holds, and its files. https://huggingface.co/docs/hub/api */
import { UnsupportedError } from "../errors.ts";
import { isFileName } from "../formats/file-set.ts";
import { checkStatus, type Fetch, type FetchOptions, request } from "../formats/request.ts";
import { show } from "../show.ts";
import type { HubName } from "./name.ts";

/** How the Hub is reached. */
export interface HubAccess {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly fetch?: Fetch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A file of a repository. */
export interface HubFile {
  readonly path: string;
  readonly byteLength: number | undefined;
  /** Hexadecimal, of files in large file storage. */
  readonly sha256: string | undefined;
  /** What names its content: its SHA-256, or git's hash of it. */
  readonly etag: string | undefined;
}

/** What a repository holds at a commit. */
export interface HubListing {
  readonly repository: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** The Hub cannot be asked now: no network, or a server in trouble. What is in the cache may still serve. */
export class HubUnreachable extends UnsupportedError {
  override name = "UnsupportedError";
}

export const fetchOptions = ({ fetch, signal, token }: HubAccess): FetchOptions => ({
  fetch,
  signal,
  headers: token ? { authorization: `Bearer ${token}` } : undefined,
});

/** Where a file of a commit lies; asked of a server that redirects to its storage. */
export function fileUrl({ endpoint }: HubAccess, { repository, commit }: HubListing, path: string): string {
  return `${endpoint}/${repository}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/**
 * The files of a repository.
 *
 * @throws HubUnreachable; UnsupportedError when there is no such model or revision, or access is refused; the signal's reason
 */
export async function listFiles(access: HubAccess, name: HubName): Promise<HubListing> {
  const { repository, revision } = name;
  const base = `${access.endpoint}/api/models/${repository}`;
  const answer = await ask(access, `${base}/revision/${encodeURIComponent(revision)}?blobs=true`);
  // Mirrors may know only the address of the tree, which says the same but the commit.
  if (answer.status === 404) {
    await answer.body?.cancel().catch(() => {});
    return listTree(access, name);
  }
  await checkAccess(answer, access, name);
  const { sha, siblings } = (await jsonOf(answer, access)) as { sha?: unknown; siblings?: unknown };
  const commit = commitOf(sha);
  if (!commit || !Array.isArray(siblings)) throw notUnderstood(access, { sha, siblings });
  const files = siblings.map((item) => {
    const { rfilename, size, blobId, lfs } = Object(item) as Record<string, unknown>;
    return hubFile(rfilename, size, blobId, lfs);
  });
  return { repository, commit, files: files.filter((file) => file !== undefined) };
}

/** By the pages of the tree; the commit is what a file's answer says. */
async function listTree(access: HubAccess, name: HubName): Promise<HubListing> {
  const { repository, revision } = name;
  const files: HubFile[] = [];
  let url: string | undefined =
    `${access.endpoint}/api/models/${repository}/tree/${encodeURIComponent(revision)}?recursive=true`;
  while (url) {
    const answer = await ask(access, url);
    await checkAccess(answer, access, name);
    const items = await jsonOf(answer, access);
    if (!Array.isArray(items)) throw notUnderstood(access, items);
    for (const item of items) {
      const { type, path, size, oid, lfs } = Object(item) as Record<string, unknown>;
      const file = type === "file" ? hubFile(path, size, oid, lfs) : undefined;
      if (file) files.push(file);
    }
    const next: string | undefined = /<([^>]*)>;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    url = next && new URL(next, url).href;
  }
  if (commitOf(revision) || !files[0]) return { repository, commit: revision, files };
  const { commit } = await askFile(access, { repository, commit: revision, files }, files[0].path);
  if (!commit) throw notUnderstood(access, { commit });
  return { repository, commit, files };
}

/** A file's entry in a list; undefined for what has no path that could stand in a folder. */
function hubFile(path: unknown, size: unknown, oid: unknown, lfs: unknown): HubFile | undefined {
  if (typeof path !== "string" || !path.split("/").every(isFileName)) return undefined;
  const large = Object(lfs) as Record<string, unknown>;
  const digest = [large.sha256, large.oid].find((value) => typeof value === "string")?.replace(/^sha256:/, "");
  const sha256 = typeof digest === "string" && isSha256(digest) ? digest : undefined;
  const byteLength = [large.size, size].find((value) => Number.isSafeInteger(value) && (value as number) >= 0);
  const etag = sha256 ?? (typeof oid === "string" && isEtag(oid) ? oid : undefined);
  return { path, byteLength: byteLength as number | undefined, sha256, etag };
}

/** What a file's own answer says of it, before any redirect to storage, which says something else. */
async function askFile(access: HubAccess, listing: HubListing, path: string) {
  let url = fileUrl(access, listing, path);
  for (let hops = 0; hops < 5; hops++) {
    const { headers, status } = await ask(access, url, { method: "HEAD", redirect: "manual" });
    const location = headers.get("location");
    const linked = headers.get("x-linked-etag");
    // Only a repository that was renamed is looked for elsewhere.
    if (status >= 300 && status < 400 && location && !linked && new URL(location, url).origin === new URL(url).origin) {
      url = new URL(location, url).href;
      continue;
    }
    const length = headers.get("x-linked-size") ?? (status < 300 ? headers.get("content-length") : null);
    return {
      commit: commitOf(headers.get("x-repo-commit")),
      etag: (linked ?? headers.get("etag"))?.replace(/^W\//, "").replaceAll('"', ""),
      sha256: linked?.replaceAll('"', ""),
      byteLength: length && !headers.has("content-encoding") ? Number(length) : undefined,
    };
  }
  throw new HubUnreachable(`${url}: redirects without end`);
}

/** A file with all that names its content. @throws UnsupportedError when the server says nothing that does */
export async function describedFile(access: HubAccess, listing: HubListing, file: HubFile): Promise<HubFile> {
  if (file.etag !== undefined) return file;
  const { etag, sha256, byteLength } = await askFile(access, listing, file.path);
  if (!etag || !isEtag(etag)) throw new UnsupportedError(`${fileUrl(access, listing, file.path)}: has no ETag`);
  return {
    path: file.path,
    byteLength: file.byteLength ?? byteLength,
    sha256: sha256 && isSha256(sha256) ? sha256 : undefined,
    etag,
  };
}

async function ask(access: HubAccess, url: string, init?: { method?: string; redirect?: "manual" }): Promise<Response> {
  const options = fetchOptions(access);
  const response = await request(url, options, init).catch((cause) => {
    access.signal?.throwIfAborted();
    throw new HubUnreachable(cause instanceof Error ? cause.message : String(cause), { cause });
  });
  if (response.status === 429 || response.status >= 500) {
    await response.body?.cancel().catch(() => {});
    throw new HubUnreachable(`${url}: the server answered ${response.status} ${response.statusText}`.trimEnd());
  }
  return response;
}

/** @throws UnsupportedError for any status but success, as the Hub means it */
export async function checkAccess(
  response: Response,
  { endpoint, token }: HubAccess,
  name: Pick<HubName, "text" | "revision">,
): Promise<void> {
  if (response.ok) return;
  const { status } = response;
  const code = response.headers.get("x-error-code");
  const fail = async (fault: string) => {
    await response.body?.cancel().catch(() => {});
    throw new UnsupportedError(`${name.text}: ${fault}`);
  };
  const how = token ? "the token that was given does not open it" : "set HF_TOKEN to a token that may read it";
  if (code === "EntryNotFound") await fail(`is not there on ${endpoint}`);
  if (code === "RevisionNotFound") await fail(`has no revision ${show(name.revision)} on ${endpoint}`);
  if (code === "GatedRepo" || status === 403) await fail(`is not open to everybody on ${endpoint}: ${how}`);
  if (status === 401) await fail(`is not on ${endpoint}, or not open to everybody: ${how}`);
  if (code === "RepoNotFound" || status === 404) await fail(`there is no such model on ${endpoint}`);
  await checkStatus(name.text, response);
}

async function jsonOf(response: Response, access: HubAccess): Promise<object> {
  try {
    return Object(await response.json());
  } catch (cause) {
    access.signal?.throwIfAborted();
    throw new HubUnreachable(`${access.endpoint}: its answer is not whole, or not JSON`, { cause });
  }
}

const notUnderstood = ({ endpoint }: HubAccess, answer: unknown) =>
  new UnsupportedError(`${endpoint}: does not answer as the Hub does: ${show(answer)}`);

/** A commit's name, or undefined for anything else. */
export const commitOf = (value: unknown): string | undefined =>
  typeof value === "string" && /^[0-9a-f]{40}$/.test(value) ? value : undefined;
const isSha256 = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
/** It becomes the name of a file. */
const isEtag = (text: string): boolean => /^[\w-][\w.-]{0,199}$/.test(text);
