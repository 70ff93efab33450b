/** A prompt of the AI SDK as messages, and its settings as options of a conversation. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message, SharedV4Warning } from "@ai-sdk/provider";
import { TOOL_MARK } from "../chat/tool-calls.ts";
import { ArgumentError, type ChatOptions, type Message, type Model } from "../index.ts";

/** What is asked of a model. */
export interface Call {
  readonly messages: readonly Message[];
  readonly options: ChatOptions;
  readonly tools: readonly object[] | undefined;
  readonly document: DocumentOption | undefined;
  /** What could not be heard. */
  readonly warnings: SharedV4Warning[];
}

/** A document to answer from: `providerOptions: { siskin: { document: { text } } }`. */
export interface DocumentOption {
  readonly text: string;
  /** What will be asked, where it is known; a document is read once for all who give the same. */
  readonly questions?: readonly string[];
  /** Entries of the cache that are kept of it. */
  readonly budget?: number;
  /** Tokens of it that are read at once. */
  readonly chunkLength?: number;
}

/** @throws ArgumentError for files in a prompt, and provider options that cannot be */
export function readCall(call: LanguageModelV4CallOptions, model: Model): Call {
  const warnings: SharedV4Warning[] = [];
  const unsupported = (feature: string, details?: string) =>
    void warnings.push({ type: "unsupported", feature, ...(details === undefined ? {} : { details }) });
  const messages = call.prompt.flatMap(readMessage);
  if (call.responseFormat?.type === "json") unsupported("responseFormat", "The answer is not held to JSON");
  if (call.reasoning !== undefined && call.reasoning !== "provider-default") unsupported("reasoning");
  const choice = call.toolChoice?.type ?? "auto";
  if (choice === "required" || choice === "tool")
    unsupported("toolChoice", "The model calls a tool when it chooses to");
  const functions = (call.tools ?? []).flatMap((tool) => {
    if (tool.type === "function") {
      const { name, description, inputSchema } = tool;
      return [{ type: "function", function: { name, description, parameters: inputSchema } }];
    }
    unsupported(`tool ${tool.name}`);
    return [];
  });
  let tools = choice === "none" || functions.length === 0 ? undefined : functions;
  if (tools && !model.tokenizer.chatTemplate?.render(messages, { tools }).includes(TOOL_MARK)) {
    unsupported("tools", `The model's chat template has no ${TOOL_MARK}`);
    tools = undefined;
  }
  const { temperature, topP, topK, presencePenalty, frequencyPenalty, seed } = call;
  return {
    messages,
    tools,
    warnings,
    document: readDocument(call.providerOptions?.siskin),
    options: {
      temperature,
      topP,
      topK,
      presencePenalty,
      frequencyPenalty,
      seed,
      tools,
      maxTokens: call.maxOutputTokens,
      stop: call.stopSequences,
      signal: call.abortSignal,
    },
  };
}

function readDocument(options: Readonly<Record<string, unknown>> = {}): DocumentOption | undefined {
  const other = Object.keys(options).find((name) => name !== "document");
  if (other !== undefined)
    throw new ArgumentError(`siskin has no provider option ${JSON.stringify(other)}, only document`);
  const { document } = options as { document?: DocumentOption };
  if (document === undefined) return undefined;
  if (typeof document?.text !== "string") throw new ArgumentError("The provider option document should have a text");
  return document;
}

function readMessage({ role, content }: LanguageModelV4Message): Message[] {
  if (role === "system") return [{ role, content }];
  if (role === "tool") {
    return content.flatMap((part) => {
      if (part.type !== "tool-result") return [];
      const { output, toolCallId, toolName } = part;
      const value = "value" in output ? output.value : (output.reason ?? "denied");
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return [{ role, content: text, name: toolName, tool_call_id: toolCallId }];
    });
  }
  let text = "";
  const calls: object[] = [];
  for (const part of content) {
    if (part.type === "text") text += part.text;
    else if (part.type === "tool-call") {
      calls.push({ id: part.toolCallId, type: "function", function: { name: part.toolName, arguments: part.input } });
    } else if (part.type !== "reasoning") {
      throw new ArgumentError(
        `A prompt with a part of type ${part.type} is not supported, only texts and calls of tools`,
      );
    }
  }
  return [{ role, content: text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }];
}
