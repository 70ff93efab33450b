/** Reads a request's body, which is JSON and no longer than a bound. */
import { HttpError } from "./errors.ts";
import type { Body } from "./parameters.ts";

/** @throws HttpError 413 for a body that is too long, 415 for another kind, 400 for what is no JSON object */
export async function readBody(request: Request, maxBytes: number): Promise<Body> {
  // What is not application/json a page of any origin may send unasked.
  if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? "")) {
    throw new HttpError(415, "The body should be application/json");
  }
  const tooLong = () => new HttpError(413, `The body is longer than ${maxBytes} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLong();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader!.read()) {
    length += read.value.length;
    if (length > maxBytes) {
      await reader!.cancel().catch(() => {});
      throw tooLong();
    }
    chunks.push(read.value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new HttpError(400, "The body is not JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new HttpError(400, "The body should be a JSON object");
  }
  return body as Body;
}
