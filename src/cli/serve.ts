/** `siskin serve`: a model behind OpenAI's HTTP. */
import process from "node:process";
import type { Command } from "commander";
import { type LoadProgress, loadModel } from "../runtimes/node.ts";
import { createHandler } from "../server/index.ts";
import { type ModelArguments, positiveInteger, withModel, withThreads } from "./options.ts";
import { Progress } from "./progress.ts";

/** How long answers that are made may take to be sent when the server ends. */
const LAST_BYTES_MILLISECONDS = 2000;

interface ServeArguments extends ModelArguments {
  readonly host: string;
  readonly port: number;
  readonly name?: string;
  readonly apiKey?: string;
  readonly allowHost: readonly string[];
  readonly allowOrigin: readonly string[];
  readonly concurrency: number;
  readonly maxWaiting: number;
  readonly maxTokens: number;
}

/** Adds the command. @param signal stops it, when what runs has been answered */
export function addServe(program: Command, signal: AbortSignal): void {
  const collect = (value: string, all: readonly string[]) => [...all, value];
  const command = program
    .command("serve")
    .description("answer OpenAI's HTTP: chat completions, completions, responses");
  withThreads(withModel(command))
    .option("--host <address>", "where to listen; other addresses than this machine's own let others in", "127.0.0.1")
    .option("--port <number>", "0 takes a free one", port, 8080)
    .option("--name <name>", "what clients call the model (default: its file's name)")
    .option("--api-key <key>", "what requests have to bear (default: SISKIN_API_KEY of the environment, if it is set)")
    .option("--allow-host <name>", "a name under which the server is reached, besides this machine's own", collect, [])
    .option("--allow-origin <origin>", "an origin whose pages may ask, or *", collect, [])
    .option("--concurrency <number>", "requests answered at once", positiveInteger, 4)
    .option("--max-waiting <number>", "requests that may wait", positiveInteger, 64)
    .option("--max-tokens <number>", "tokens of an answer where a client does not say", positiveInteger, 1024)
    .action((options: ServeArguments) => serve(options, signal));
}

async function serve(options: ServeArguments, signal: AbortSignal): Promise<void> {
  const progress = new Progress(false);
  const { threads, weights, host, concurrency, maxWaiting, maxTokens } = options;
  const onProgress = (loaded: LoadProgress) => progress.loading(loaded);
  const model = await loadModel(options.model, { threads, weights, signal, onProgress }).finally(() => progress.end());
  try {
    const handler = createHandler(model, {
      modelName: options.name,
      apiKey: options.apiKey ?? (process.env.SISKIN_API_KEY || undefined),
      hosts: ["localhost", "127.0.0.1", "[::1]", host.includes(":") ? `[${host}]` : host, ...options.allowHost],
      origins: options.allowOrigin.includes("*") ? "*" : options.allowOrigin,
      concurrency,
      maxWaiting,
      maxTokens,
      onRequest: (entry) => void process.stdout.write(`${JSON.stringify(entry)}\n`),
    });
    // Only this command needs it.
    const { serve: listen } = await import("srvx");
    const server = listen({
      fetch: handler.fetch,
      hostname: host,
      port: options.port,
      silent: true,
      // The command line hears Ctrl-C itself.
      gracefulShutdown: false,
    });
    await server.ready();
    process.stderr.write(`siskin: ${model.name} is served at ${server.url}v1\n`);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await handler.close();
    // The last answers are still on their way; connections that clients hold open are not waited for.
    const slow = setTimeout(() => void server.close(true), LAST_BYTES_MILLISECONDS);
    await server.close();
    clearTimeout(slow);
  } finally {
    model.dispose();
  }
}

/** @throws Error for anything but a number of a port */
function port(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > 65_535) throw new Error("--port should be a whole number from 0 to 65535");
  return Number(text);
}
