/** The engine's side: holds models and sessions in a worker, and does what the other side asks for. */
import { ArgumentError } from "../errors.ts";
import { type LoadOptions, type Model, type ModelSource, press, type Session, type Tokenizer } from "../index.ts";
import {
  type Answer,
  type Call,
  type Follow,
  PIECES,
  type Piece,
  type Port,
  packError,
  unpackError,
} from "./protocol.ts";

type Load = (source: ModelSource, options?: LoadOptions) => Promise<Model>;

/** A call that goes on. */
interface Running {
  readonly abort: AbortController;
  items?: AsyncIterator<unknown>;
  /** Hears the next piece of a document. */
  piece?: (piece: Piece) => void;
}

const modelMethods = new Set(["createSession", "openSession"]);
const sessionMethods = new Set([
  ...["read", "ask", "generate", "prefill", "decode", "negativeLogLikelihoods", "keep", "cacheLength", "positions"],
  ...["keys", "values", "fork", "save", "dispose"],
]);

/** What is a property here and has to be asked for there. */
const modelFacts: Record<string, (model: Model, ...values: never[]) => unknown> = {
  encode: (model, ...values: Parameters<Tokenizer["encode"]>) => model.tokenizer.encode(...values),
  decode: (model, ...values: Parameters<Tokenizer["decode"]>) => model.tokenizer.decode(...values),
  memory: (model) => model.memory,
};
const sessionFacts: Record<string, (session: Session) => unknown> = {
  state: ({ absolutePosition, byteLength, scheme }) => ({ absolutePosition, byteLength, scheme }),
};

/** Serves an engine. @returns what hears the other side's messages */
export function serveEngine(port: Port, loadModel: Load): (message: Call | Follow) => void {
  const objects = new Map<number, Model | Session>();
  const running = new Map<number, Running>();
  let last = 0;
  const post = (answer: Answer, transfer: Transferable[] = []) => port.post(answer, transfer);
  const keep = (object: Model | Session) => {
    objects.set(++last, object);
    return last;
  };

  async function perform(call: Call, own: Running): Promise<unknown> {
    const values = call.values.map((value) => received(value, call.id, own));
    if (call.target === 0) {
      if (call.method !== "loadModel") throw new ArgumentError(`An engine has no method ${call.method}`);
      const model = await loadModel(values[0] as ModelSource, values[1] as LoadOptions);
      return { object: keep(model), facts: factsOf(model) };
    }
    const object = objects.get(call.target);
    if (!object) throw new ArgumentError("This object is not known in the worker");
    const isModel = "createSession" in object;
    const fact = isModel ? modelFacts[call.method] : sessionFacts[call.method];
    if (fact) return fact(object as never, ...(values as never[]));
    if (!(isModel ? modelMethods : sessionMethods).has(call.method)) {
      throw new ArgumentError(`A ${isModel ? "model" : "session"} has no method ${call.method}`);
    }
    const method = object[call.method as "dispose"] as (...values: unknown[]) => unknown;
    const result = await method.apply(object, values);
    if (call.method === "dispose") objects.delete(call.target);
    if (isItems(result)) own.items = result[Symbol.asyncIterator]();
    else return isSession(result) ? { object: keep(result) } : result;
    return undefined;
  }

  /** An argument as it arrived, with what stayed with the caller put back. */
  function received(value: unknown, id: number, own: Running): unknown {
    if (value === PIECES) return pieces(id, own);
    if (Object.prototype.toString.call(value) !== "[object Object]") return value;
    const options = { ...(value as Record<string, unknown>) };
    if (options.signal) options.signal = own.abort.signal;
    if (options.onProgress) options.onProgress = (progress: unknown) => post({ kind: "progress", id, value: progress });
    if (options.press !== undefined) options.press = pressOf(options.press);
    return options;
  }

  async function* pieces(id: number, own: Running): AsyncGenerator<string> {
    for (;;) {
      const next = new Promise<Piece>((resolve) => {
        own.piece = resolve;
      });
      post({ kind: "pull", id });
      const { value, done, error } = await next;
      if (error) throw unpackError(error);
      if (done) return;
      yield value as string;
    }
  }

  async function answer(id: number, work: () => Promise<unknown>): Promise<void> {
    try {
      const value = await work();
      post({ kind: "value", id, value }, transferable(value));
    } catch (error) {
      post({ kind: "error", id, error: packError(error) });
    }
  }

  async function step(id: number, own: Running, method: "next" | "return"): Promise<void> {
    try {
      const { value, done } = (await own.items?.[method]?.(undefined)) ?? { value: undefined, done: true };
      if (done) running.delete(id);
      post({ kind: "item", id, value, done: done ?? false });
    } catch (error) {
      running.delete(id);
      post({ kind: "error", id, error: packError(error) });
    }
  }

  return (message) => {
    if (message.kind === "call") {
      const own: Running = { abort: new AbortController() };
      running.set(message.id, own);
      void answer(message.id, () => perform(message, own)).then(() => {
        if (!own.items) running.delete(message.id);
      });
      return;
    }
    const own = running.get(message.id);
    if (!own) return;
    if (message.kind === "abort") own.abort.abort(unpackError(message.reason));
    else if (message.kind === "piece") own.piece?.(message);
    else void step(message.id, own, message.kind);
  };
}

const isItems = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value;

const isSession = (value: unknown): value is Session =>
  typeof value === "object" && value !== null && "absolutePosition" in value && "fork" in value;

/** What a model is known by on the other side. */
function factsOf({ name, config, tensors, threads, fingerprint }: Model) {
  return { name, config, tensors, threads, fingerprint };
}

/** A press by its name, or its name and options: functions cannot be sent. */
function pressOf(value: unknown): unknown {
  if (typeof value === "string") return press(value);
  return Array.isArray(value) && typeof value[0] === "string" ? press(value[0], value[1]) : value;
}

/** Copies of the engine's numbers are handed over, not copied once more. */
function transferable(value: unknown): Transferable[] {
  return ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : [];
}
