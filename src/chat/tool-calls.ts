/** Calls of tools in an answer, in the form of Hermes and Qwen: `<tool_call>{"name": ..., "arguments": ...}</tool_call>`. */

/** A call that an answer holds. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly input: string;
}

/** What a template that knows such tools writes into a prompt with tools. */
export const TOOL_MARK = "<tool_call>";

/** Takes the calls out of an answer. What is no JSON between the marks stays text. */
export function findToolCalls(answer: string): { readonly text: string; readonly calls: readonly ToolCall[] } {
  const calls: ToolCall[] = [];
  const text = answer.replace(/<tool_call>\s*(\{[\s\S]*?\})\s*(?:<\/tool_call>|$)/g, (whole, json: string) => {
    try {
      const { name, arguments: given } = JSON.parse(json);
      if (typeof name !== "string") return whole;
      const id = `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
      calls.push({ id, name, input: typeof given === "string" ? given : JSON.stringify(given ?? {}) });
      return "";
    } catch {
      return whole;
    }
  });
  return { text: calls.length > 0 ? text.trim() : answer, calls };
}
