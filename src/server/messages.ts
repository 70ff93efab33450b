/** Messages as OpenAI's clients send them, as the model's template takes them. */
import type { Message } from "../index.ts";
import { badParameter } from "./errors.ts";

const roles = ["system", "developer", "user", "assistant", "tool"];

/** @param where the parameter, for errors @throws HttpError 400 that names the message */
export function readMessages(given: unknown, where = "messages"): Message[] {
  if (!Array.isArray(given) || given.length === 0) throw badParameter(where, `${where} should be a list of messages`);
  return given.map((message, index) => readMessage(message, `${where}[${index}]`));
}

function readMessage(given: unknown, where: string): Message {
  if (typeof given !== "object" || given === null) throw badParameter(where, `${where} should be an object`);
  const { role, content, name, tool_calls, tool_call_id } = given as Record<string, unknown>;
  if (typeof role !== "string" || !roles.includes(role)) {
    throw badParameter(`${where}.role`, `${where}.role should be one of ${roles.join(", ")}`);
  }
  const text = readContent(content, `${where}.content`);
  if (text === undefined && tool_calls === undefined)
    throw badParameter(`${where}.content`, `${where}.content is missing`);
  return {
    role: role === "developer" ? "system" : role,
    content: text ?? "",
    ...(name === undefined ? {} : { name }),
    ...(Array.isArray(tool_calls) ? { tool_calls: tool_calls.map(readCall) } : {}),
    ...(tool_call_id === undefined ? {} : { tool_call_id }),
  };
}

/** Texts of a message, one behind the other. */
function readContent(content: unknown, where: string): string | undefined {
  if (typeof content === "string") return content;
  if (content === undefined || content === null) return undefined;
  if (!Array.isArray(content)) throw badParameter(where, `${where} should be a text or a list of parts`);
  const texts = content.map((part, index) => {
    const { type, text } = (part ?? {}) as Record<string, unknown>;
    const isText = type === "text" || type === "input_text" || type === "output_text";
    if (!isText || typeof text !== "string") {
      throw badParameter(
        `${where}[${index}]`,
        `${where}[${index}]: only parts of text are supported, not ${String(type)}`,
      );
    }
    return text;
  });
  return texts.join("");
}

/** A call of a tool as templates have it: its arguments as an object, not as JSON. */
function readCall(call: unknown): unknown {
  const { function: called, ...rest } = (call ?? {}) as { function?: { arguments?: unknown } };
  if (typeof called?.arguments !== "string") return call;
  try {
    return { ...rest, function: { ...called, arguments: JSON.parse(called.arguments) } };
  } catch {
    return call;
  }
}
