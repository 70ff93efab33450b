/** `siskin/server`: a model behind OpenAI's HTTP, as a handler of web-standard requests that runs in Node, Deno, Bun and a Worker. */
import { Prefixes } from "../chat/prefixes.ts";
import type { Model } from "../index.ts";
import { readBody } from "./body.ts";
import { chatCompletions } from "./chat-completions.ts";
import { completions } from "./completions.ts";
import { asHttpError, errorBody, HttpError } from "./errors.ts";
import { event, eventStream } from "./events.ts";
import { Guard, type GuardOptions, PREFLIGHT_HEADERS } from "./guard.ts";
import { Metrics } from "./metrics.ts";
import { checkModel } from "./parameters.ts";
import { FairQueue } from "./queue.ts";
import { responses } from "./responses.ts";
import type { Endpoint, Reply, Service, Usage } from "./service.ts";
import { unixSeconds } from "./service.ts";

/** How a model is served. */
export interface ServerOptions extends GuardOptions {
  /** The name that clients ask for; default the last part of the model's own. */
  readonly modelName?: string | undefined;
  /** Requests answered at once; default 4. */
  readonly concurrency?: number | undefined;
  /** Requests that may wait; further ones get 429. Default 64. */
  readonly maxWaiting?: number | undefined;
  /** Bytes of a body at most; default 4 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Bytes of conversations that are kept for those who go on from them; default 256 MiB. */
  readonly maxPrefixBytes?: number | undefined;
  /** Tokens of an answer where a client does not say; default 1024. */
  readonly maxTokens?: number | undefined;
  /** How long a reader may leave an event unread before its answer ends, in milliseconds; default 30,000. */
  readonly stallMilliseconds?: number | undefined;
  /** Whose turn a request is: requests of different clients take turns. Default the address, where the runtime tells it. */
  readonly clientOf?: ((request: Request) => string) | undefined;
  /** Hears of every request when its answer has ended. */
  readonly onRequest?: ((entry: RequestEntry) => void) | undefined;
}

/** What is told of a request. */
export interface RequestEntry {
  readonly time: string;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** 499: the client went away. */
  readonly status: number;
  readonly milliseconds: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly answerTokens: number;
  readonly error?: string;
}

/** A server without a socket. */
export interface Handler {
  /** Answers a request; needs no `this`. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Refuses what comes from now on, waits for what runs, and frees what is kept. The model stays. */
  close(): Promise<void>;
}

const endpoints: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": chatCompletions,
  "/v1/completions": completions,
  "/v1/responses": responses,
};
const readable = ["/v1/models", "/health", "/metrics"];
/** nginx's status for a client that closed its connection. */
const CLIENT_GONE = 499;

/** What is known of a request on its way. */
interface Course {
  readonly id: string;
  readonly started: number;
  readonly path: string;
  readonly usage: Usage;
}

/** @param model stays the caller's, to be disposed after `close()` */
export function createHandler(model: Model, options: ServerOptions = {}): Handler {
  const { concurrency = 4, maxWaiting = 64, maxBodyBytes = 4 * 2 ** 20, maxPrefixBytes = 256 * 2 ** 20 } = options;
  const { maxTokens = 1024, stallMilliseconds = 30_000, onRequest } = options;
  const { clientOf = (request: Request) => (request as { ip?: string }).ip ?? "" } = options;
  const name = options.modelName ?? model.name.replace(/\/+$/, "").replace(/^.*\//, "");
  const prefixes = new Prefixes(model, maxPrefixBytes);
  const service: Service = { model, name, prefixes, maxTokens };
  const guard = new Guard(options);
  const queue = new FairQueue(concurrency, maxWaiting);
  const metrics = new Metrics();
  const created = unixSeconds();
  let closed = false;

  const finish = (request: Request, course: Course, status: number, error?: string) => {
    const milliseconds = Math.round(performance.now() - course.started);
    const { promptTokens, cachedTokens, answerTokens } = course.usage;
    const known = course.path in endpoints || readable.includes(course.path);
    metrics.request(known ? course.path : "other", status, milliseconds / 1000);
    metrics.tokens(promptTokens, cachedTokens, answerTokens);
    onRequest?.({
      time: new Date().toISOString(),
      id: course.id,
      method: request.method,
      path: course.path,
      status,
      milliseconds,
      promptTokens,
      cachedTokens,
      answerTokens,
      ...(error === undefined ? {} : { error }),
    });
  };

  /** What can be read without asking the model. */
  const look = (path: string): Response => {
    if (path === "/health") return Response.json({ status: "ok" });
    if (path === "/metrics") {
      const { running, waiting } = queue;
      const gauges = { running, waiting, prefixBytes: prefixes.byteLength, memoryBytes: model.memory.bytesInUse };
      return new Response(metrics.text(gauges), { headers: { "content-type": "text/plain; version=0.0.4" } });
    }
    const one = { id: name, object: "model", created, owned_by: "siskin" };
    if (path === "/v1/models") return Response.json({ object: "list", data: [one] });
    if (decodeURIComponent(path.slice("/v1/models/".length)) === name) return Response.json(one);
    throw new HttpError(404, `The model does not exist; ${name} does`, "model", "model_not_found");
  };

  /** Asks the model. The reply's end is told by `finish`. */
  const ask = async (request: Request, course: Course, endpoint: Endpoint): Promise<Response> => {
    const body = await readBody(request, maxBodyBytes);
    checkModel(body, name);
    const stop = new AbortController();
    const abort = () => stop.abort(request.signal.reason);
    request.signal.addEventListener("abort", abort, { once: true });
    let leave = () => {};
    const end = () => {
      request.signal.removeEventListener("abort", abort);
      leave();
    };
    try {
      if (request.signal.aborted) abort();
      const reply = endpoint(service, body, stop.signal, course.usage);
      leave = await queue.enter(clientOf(request), stop.signal);
      if (!reply.streams) {
        const answer = Response.json(await reply.json());
        end();
        finish(request, course, 200);
        return answer;
      }
      return await stream(request, course, reply, stop, end);
    } catch (error) {
      end();
      if (stop.signal.aborted) throw new HttpError(CLIENT_GONE, "The client went away");
      throw error;
    }
  };

  const stream = async (request: Request, course: Course, reply: Reply, stop: AbortController, end: () => void) => {
    const events = reply.events();
    // What is wrong with the request shows before the first event, while there is a status to tell it by.
    const first = await events.next();
    let status = 200;
    let fault: string | undefined;
    const all = (async function* () {
      try {
        if (first.done) return;
        yield first.value;
        yield* events;
      } catch (error) {
        if (stop.signal.aborted) return;
        const told = asHttpError(error);
        [status, fault] = [told.status, String(error)];
        yield event(errorBody(told));
      } finally {
        await events.return();
        end();
        finish(request, course, stop.signal.aborted ? CLIENT_GONE : status, fault);
      }
    })();
    const body = eventStream(all, stallMilliseconds, (reason) => {
      if (reason !== undefined) stop.abort(reason);
    });
    return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
  };

  const respond = async (request: Request, course: Course): Promise<Response> => {
    const { path } = course;
    guard.checkHost(request);
    if (request.method === "OPTIONS") {
      const headers = guard.corsHeaders(request);
      if (Object.keys(headers).length === 0) throw new HttpError(403, "Pages of this origin may not ask");
      finish(request, course, 204);
      return new Response(null, { status: 204, headers: PREFLIGHT_HEADERS });
    }
    if (path !== "/health") await guard.checkKey(request);
    if (closed) throw new HttpError(503, "The server is shutting down");
    const endpoint = Object.hasOwn(endpoints, path) ? endpoints[path]! : undefined;
    const isReadable = readable.includes(path) || path.startsWith("/v1/models/");
    if (!endpoint && !isReadable) throw new HttpError(404, `There is no ${path}`, null, "unknown_url");
    const method = endpoint ? "POST" : "GET";
    if (request.method !== method) {
      throw new HttpError(405, `${path} takes ${method}`, null, "method_not_allowed", { allow: method });
    }
    if (endpoint) return ask(request, course, endpoint);
    const response = look(path);
    finish(request, course, 200);
    return response;
  };

  return {
    async fetch(request) {
      const usage = { promptTokens: 0, cachedTokens: 0, answerTokens: 0 };
      const course = {
        id: crypto.randomUUID(),
        started: performance.now(),
        path: new URL(request.url).pathname,
        usage,
      };
      let response: Response;
      try {
        response = await respond(request, course);
      } catch (error) {
        const told = asHttpError(error);
        finish(request, course, told.status, told.status < 500 ? told.message : String(error));
        response = Response.json(errorBody(told), { status: told.status, headers: told.headers });
      }
      response.headers.set("x-request-id", course.id);
      for (const [header, value] of Object.entries(guard.corsHeaders(request))) response.headers.set(header, value);
      return response;
    },
    async close() {
      closed = true;
      await queue.idle();
      prefixes.dispose();
    },
  };
}
