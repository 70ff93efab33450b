/** What the body of a request may say, in OpenAI's names and those that other servers have added, as options of generation. */
import type { GenerateOptions } from "../index.ts";
import { badParameter, HttpError } from "./errors.ts";

/** A body: a JSON object. */
export type Body = Readonly<Record<string, unknown>>;

/** Says nothing of what is generated, and may stand in any body. */
const ignored = new Set([
  "metadata",
  "parallel_tool_calls",
  "prompt_cache_key",
  "safety_identifier",
  "service_tier",
  "store",
  "user",
]);

/** How a parameter becomes an option. */
const sampling: Readonly<Record<string, keyof GenerateOptions>> = {
  temperature: "temperature",
  top_p: "topP",
  top_k: "topK",
  min_p: "minP",
  typical_p: "typicalP",
  repetition_penalty: "repetitionPenalty",
  presence_penalty: "presencePenalty",
  frequency_penalty: "frequencyPenalty",
  seed: "seed",
};

const MOST_ANSWERS = 16;
const MOST_STOPS = 16;

/** @throws HttpError 400 that names a parameter that is not known, and one that has no value like those it may have */
export function checkParameters(
  body: Body,
  known: readonly string[],
  unsupported: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries(body)) {
    if (value === undefined || value === null || ignored.has(name) || known.includes(name) || name in sampling)
      continue;
    if (Object.hasOwn(unsupported, name)) {
      if (JSON.stringify(value) === JSON.stringify(unsupported[name])) continue;
      throw badParameter(name, `${name} is not supported with this value`);
    }
    throw badParameter(name, `${name} is not supported`);
  }
}

/** The options that all kinds of answers share. @throws HttpError 400 */
export function samplingOptions(body: Body): GenerateOptions {
  const options: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(sampling)) {
    const value = body[name] ?? undefined;
    if (value === undefined) continue;
    if (typeof value !== "number") throw badParameter(name, `${name} should be a number`);
    options[option] = value;
  }
  // OpenAI's 0 means that every token counts.
  if (options.topK === 0 || options.topK === -1) delete options.topK;
  const stop = body.stop ?? undefined;
  if (stop !== undefined) {
    const stops = typeof stop === "string" ? [stop] : stop;
    if (
      !Array.isArray(stops) ||
      stops.length > MOST_STOPS ||
      !stops.every((text) => typeof text === "string" && text)
    ) {
      throw badParameter("stop", `stop should be a text or up to ${MOST_STOPS} of them`);
    }
    options.stop = stops;
  }
  if (body.logit_bias !== undefined && body.logit_bias !== null) options.logitBias = body.logit_bias;
  return options as GenerateOptions;
}

/** A whole number within bounds, both included. @throws HttpError 400 */
export function wholeNumber(body: Body, name: string, least: number, most: number): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    throw badParameter(name, `${name} should be a whole number from ${least} to ${most}`);
  }
  return value as number;
}

/** @throws HttpError 400 */
export function flag(body: Body, name: string): boolean {
  const value = body[name] ?? false;
  if (typeof value !== "boolean") throw badParameter(name, `${name} should be true or false`);
  return value;
}

/** How many answers. @throws HttpError 400 */
export function answerCount(body: Body): number {
  return wholeNumber(body, "n", 1, MOST_ANSWERS) ?? 1;
}

/** Whether a stream ends with the usage. @throws HttpError 400 */
export function includesUsage(body: Body): boolean {
  const options = body.stream_options ?? undefined;
  if (options === undefined) return false;
  if (typeof options !== "object" || Array.isArray(options)) {
    throw badParameter("stream_options", "stream_options should be an object");
  }
  if (!flag(body, "stream")) throw badParameter("stream_options", "stream_options is only for streams");
  return flag(options as Body, "include_usage");
}

/** @throws HttpError 404 unless it is the model that is served */
export function checkModel(body: Body, served: string): void {
  if (typeof body.model !== "string") throw badParameter("model", "model should be the name of a model");
  if (body.model === served) return;
  throw new HttpError(
    404,
    `The model ${JSON.stringify(body.model)} does not exist; ${served} does`,
    "model",
    "model_not_found",
  );
}
