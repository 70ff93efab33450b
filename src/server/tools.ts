/** Tools as OpenAI's clients send them, and calls as they read them. */
import { TOOL_MARK, type ToolCall } from "../chat/tool-calls.ts";
import type { Message, Model } from "../index.ts";
import { badParameter } from "./errors.ts";
import type { Body } from "./parameters.ts";

/**
 * The tools that the model may call.
 * @returns undefined where there are none
 * @throws HttpError 400 for tools of other kinds, a choice that cannot be forced, and a model whose template knows no tools
 */
export function readTools(body: Body, model: Model, messages: readonly Message[]): readonly object[] | undefined {
  const tools = body.tools ?? [];
  if (!Array.isArray(tools)) throw badParameter("tools", "tools should be a list");
  const choice = body.tool_choice ?? "auto";
  if (choice !== "auto" && choice !== "none") {
    throw badParameter("tool_choice", "tool_choice is not supported but for auto and none");
  }
  if (tools.length === 0 || choice === "none") return undefined;
  for (const [index, tool] of tools.entries()) {
    const { type, function: described } = (tool ?? {}) as { type?: unknown; function?: { name?: unknown } };
    if (type !== "function" || typeof described?.name !== "string") {
      throw badParameter(`tools[${index}]`, `tools[${index}] should be a function with a name`);
    }
  }
  const rendered = model.tokenizer.chatTemplate?.render(messages, { tools }) ?? "";
  if (!rendered.includes(TOOL_MARK)) {
    throw badParameter("tools", "tools are not supported: the model's chat template has no <tool_call> for them");
  }
  return tools;
}

/** A call in the shape of chat completions. */
export function callBody({ id, name, input }: ToolCall): object {
  return { id, type: "function", function: { name, arguments: input } };
}
