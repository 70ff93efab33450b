/** A server that answers as the Hugging Face Hub does, and misbehaves where a test wants it to. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A repository: its files at a commit. */
export interface StandInRepository {
  commit: string;
  files: Record<string, Uint8Array>;
  /** Paths of files in large file storage, which have a SHA-256. */
  large?: (path: string) => boolean;
}

/** Answers a request itself, or returns false to have it answered rightly. */
type Misbehaviour = (request: IncomingMessage, response: ServerResponse, url: URL) => boolean;

/** A Hub of this machine. */
export interface StandIn {
  readonly endpoint: string;
  readonly repositories: Record<string, StandInRepository>;
  /** What was asked for, as "GET /path" with " bytes=N-" where there was a range. */
  readonly asked: string[];
  /** Bytes of files that were sent. */
  sent: number;
  misbehave: Misbehaviour | undefined;
  /** What a request must have for authorization; everybody may read without. */
  token: string | undefined;
  close(): void;
}

export const commitOne = "1".repeat(40);
export const commitTwo = "2".repeat(40);

const hashOf = (kind: string, bytes: Uint8Array) => createHash(kind).update(bytes).digest("hex");
export const sha256 = (bytes: Uint8Array) => hashOf("sha256", bytes);
/** Git's hash of a file. */
export const gitHash = (bytes: Uint8Array) =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

/** Starts one. Files are redirected to another origin, as the Hub's are. */
export async function standIn(repositories: Record<string, StandInRepository>): Promise<StandIn> {
  const hub = {
    endpoint: "",
    repositories,
    asked: [] as string[],
    sent: 0,
    misbehave: undefined as Misbehaviour | undefined,
    token: undefined as string | undefined,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url!, "http://hub");
    const { range } = request.headers;
    hub.asked.push(`${request.method} ${url.pathname}${range ? ` ${range}` : ""}`);
    if (hub.misbehave?.(request, response, url)) return;
    answer(hub, request, response, url);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hub.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return hub;
}

function answer(hub: StandIn, request: IncomingMessage, response: ServerResponse, url: URL): unknown {
  const refuse = (status: number, code?: string) => {
    response.writeHead(status, code ? { "x-error-code": code } : {}).end();
  };
  const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(url.pathname);
  const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
  const storage = /^\/storage\/([^/]+\/[^/]+)\/(.+)$/.exec(url.pathname);
  const repository = hub.repositories[(api ?? resolve ?? storage)?.[1] ?? ""];
  if (!repository) return refuse(hub.token ? 401 : 404, "RepoNotFound");
  if (hub.token && !storage && request.headers.authorization !== `Bearer ${hub.token}`) return refuse(401, "GatedRepo");
  if (storage) {
    // The token is for the Hub alone.
    if (request.headers.authorization) return refuse(400);
    return sendFile(
      hub,
      request,
      response,
      repository.files[decodeURIComponent(storage[2]!)]!,
      `"${storage[2]}-storage"`,
    );
  }
  const revision = decodeURIComponent((api?.[3] ?? resolve![2])!);
  if (revision !== "main" && revision !== repository.commit) return refuse(404, "RevisionNotFound");
  const isLarge = repository.large ?? ((path: string) => /\.(safetensors|gguf)$/.test(path));
  if (api?.[2] === "revision") {
    const siblings = Object.entries(repository.files).map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      blobId: gitHash(bytes),
      ...(isLarge(rfilename) && { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 130 } }),
    }));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: api[1], sha: repository.commit, siblings }));
    return;
  }
  if (api) {
    const entries = Object.entries(repository.files).map(([path, bytes]) => ({
      type: "file",
      path,
      size: bytes.length,
      oid: gitHash(bytes),
      ...(isLarge(path) && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } }),
    }));
    // In pages, as long lists are.
    const from = Number(url.searchParams.get("cursor") ?? 0);
    if (from + 2 < entries.length) {
      response.setHeader("link", `<${hub.endpoint}${url.pathname}?recursive=true&cursor=${from + 2}>; rel="next"`);
    }
    response.end(JSON.stringify([{ type: "directory", path: "onnx" }, ...entries.slice(from, from + 2)]));
    return;
  }
  const path = decodeURIComponent(resolve![3]!);
  const bytes = repository.files[path];
  if (!bytes) return refuse(404, "EntryNotFound");
  response.setHeader("x-repo-commit", repository.commit);
  if (!isLarge(path)) return sendFile(hub, request, response, bytes, `"${gitHash(bytes)}"`);
  const location = `${hub.endpoint.replace("127.0.0.1", "localhost")}/storage/${resolve![1]}/${encodeURIComponent(path)}`;
  const linked = { "x-linked-etag": `"${sha256(bytes)}"`, "x-linked-size": bytes.length };
  response.writeHead(302, { location, ...linked }).end();
}

/** Sends a file, or the range of it that was asked for. @returns true */
export function sendFile(
  hub: { sent: number },
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  etag: string,
): true {
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const start = asked ? Number(asked[1]) : 0;
  const condition = request.headers["if-range"];
  response.setHeader("etag", etag);
  if (asked && start >= bytes.length) {
    response.writeHead(416).end();
    return true;
  }
  const partial = asked && (condition === undefined || condition === etag);
  const body = partial ? bytes.subarray(start) : bytes;
  response.writeHead(partial ? 206 : 200, {
    "content-length": body.length,
    ...(partial && { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (request.method === "HEAD") {
    response.end();
    return true;
  }
  hub.sent += body.length;
  response.end(body);
  return true;
}
