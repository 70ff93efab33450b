/** How a model is loaded, and the checks of what a caller says about it. */
import { ArgumentError } from "../errors.ts";
import { checkOptions } from "../options.ts";
import { show } from "../show.ts";
import type { WeightForm } from "./weights.ts";

/** How a model is loaded. */
export interface LoadOptions {
  /** `auto` (default): as the file has them: f32 for floats, 4 bits for Q4_0, Q4_1 and Q4_K, 8 bits for the others. */
  readonly weights?: WeightForm | "auto" | undefined;
  /** Hears how far loading has come. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Loading ends with its reason as soon as it is aborted, however long the source is silent. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Threads that compute, the calling one included; `auto`: as many as there are processors, at most 8, and one where no
   * others can be started: `model.singleThreadReason` then says why. Default 1. Results are the same for every number.
   */
  readonly threads?: number | "auto" | undefined;
  /** For a model on the Hub. */
  readonly hub?: HubLocation | undefined;
  /** A compiled build of the core (`siskin/core.wasm`), where the runtime forbids compiling bytes or it is at hand. */
  readonly core?: WebAssembly.Module | undefined;
}

/** Where models on the Hub are asked for. */
export interface HubLocation {
  /** The Hub's address, HF_ENDPOINT by default, and https://huggingface.co without it. */
  readonly endpoint?: string | undefined;
  /** For models that are not open to everybody; HF_TOKEN by default. */
  readonly token?: string | undefined;
}

/** How far loading has come. */
export interface LoadProgress {
  /** `download`: files of a model on the Hub are fetched that are not in the cache; then all are read. */
  readonly stage: "download" | "load";
  readonly bytesRead: number;
  readonly bytesTotal: number;
}

const optionNames = ["weights", "onProgress", "signal", "threads", "hub", "core"] satisfies (keyof LoadOptions)[];
const weightForms = ["auto", "f32", "q8", "q4"] satisfies LoadOptions["weights"][];

/** @throws ArgumentError naming the option that is unknown or has a value that it cannot have */
export function checkLoadOptions(options: LoadOptions): void {
  checkOptions(options, optionNames, "loadModel");
  const { weights = "auto", onProgress, signal, threads = 1, core } = options;
  const fail = (name: keyof LoadOptions, wanted: string) => {
    throw new ArgumentError(`${name} should be ${wanted} and is ${show(options[name])}`);
  };
  if (!weightForms.includes(weights)) fail("weights", weightForms.map((form) => `"${form}"`).join(", "));
  if (onProgress !== undefined && typeof onProgress !== "function") fail("onProgress", "a function");
  if (signal !== undefined && !isSignal(signal)) fail("signal", "an AbortSignal");
  if (threads !== "auto" && !(Number.isInteger(threads) && threads >= 1 && threads <= 64)) {
    fail("threads", '"auto" or a whole number from 1 to 64');
  }
  if (options.hub !== undefined) checkHub(options.hub);
  if (core !== undefined && !isCore(core)) fail("core", "a compiled build of siskin/core.wasm, a WebAssembly.Module");
  if (core !== undefined && threads !== 1 && threads !== "auto") {
    throw new ArgumentError("A given core runs in one thread: leave out `core` or `threads`");
  }
}

/** @throws ArgumentError */
function checkHub(hub: HubLocation): void {
  checkOptions(hub, ["endpoint", "token"], "loadModel's hub");
  const { endpoint, token } = hub;
  if (
    endpoint !== undefined &&
    !(typeof endpoint === "string" && /^https?:/.test(endpoint) && URL.canParse(endpoint))
  ) {
    throw new ArgumentError(`hub.endpoint should be the URL of a Hub and is ${show(endpoint)}`);
  }
  if (token !== undefined && typeof token !== "string") throw new ArgumentError("hub.token should be a string");
}

/** Not by instanceof: signals come from other realms and from polyfills too. */
function isSignal(value: unknown): boolean {
  const { aborted, throwIfAborted, addEventListener } = Object(value) as Partial<AbortSignal>;
  return typeof aborted === "boolean" && typeof throwIfAborted === "function" && typeof addEventListener === "function";
}

/** A module of any realm, with the core's exports, for a memory that threads do not share. */
function isCore(value: WebAssembly.Module): boolean {
  try {
    const exported = new Set(WebAssembly.Module.exports(value).map(({ name }) => name));
    return ["heapBase", "run", "scratchBytes"].every((name) => exported.has(name));
  } catch {
    return false;
  }
}
