/** Tools: whether the model's template has them in the form of Hermes and Qwen, and the calls in an answer of that form. */
import type { Message, Model } from "../index.ts";
import { badParameter } from "./errors.ts";
import type { Body } from "./parameters.ts";

/** A call in the shape of chat completions. */
export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

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
  if (!rendered.includes("<tool_call>")) {
    throw badParameter("tools", "tools are not supported: the model's chat template has no <tool_call> for them");
  }
  return tools;
}

/** Takes the calls out of an answer. A call that is no JSON stays text. */
export function findCalls(answer: string): { readonly text: string; readonly calls: readonly ToolCall[] } {
  const calls: ToolCall[] = [];
  const text = answer.replace(/<tool_call>\s*(\{[\s\S]*?\})\s*(?:<\/tool_call>|$)/g, (whole, json: string) => {
    try {
      const { name, arguments: given } = JSON.parse(json);
      if (typeof name !== "string") return whole;
      const id = `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
      const written = typeof given === "string" ? given : JSON.stringify(given ?? {});
      calls.push({ id, type: "function", function: { name, arguments: written } });
      return "";
    } catch {
      return whole;
    }
  });
  return { text: calls.length > 0 ? text.trim() : answer, calls };
}
