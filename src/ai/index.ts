/** `siskin/ai`: a model for the AI SDK (a LanguageModelV4), with its cache kept from turn to turn and documents to answer from. */
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { Prefixes } from "../chat/prefixes.ts";
import { findToolCalls } from "../chat/tool-calls.ts";
import type { AnswerEnd, Model, Session } from "../index.ts";
import { Documents } from "./documents.ts";
import { type Call, readCall } from "./prompt.ts";

export type { DocumentOption } from "./prompt.ts";

/** How a model answers the AI SDK. */
export interface LanguageModelOptions {
  /** What the SDK calls the model; default the model's own name. */
  readonly modelId?: string | undefined;
  /** Bytes of conversations that are kept for those who go on from them, and of documents; default 256 MiB each. */
  readonly maxCacheBytes?: number | undefined;
}

/** A model of the AI SDK. */
export interface SiskinLanguageModel extends LanguageModelV4 {
  /** Frees what is kept of conversations and documents. The model stays the caller's. */
  dispose(): void;
}

/** How an answer of the SDK's ended, and what it took. */
interface Finish {
  readonly finishReason: LanguageModelV4FinishReason;
  readonly usage: LanguageModelV4Usage;
  readonly providerMetadata: { readonly siskin: { readonly cachedTokens: number; readonly cacheBytes: number } };
}

/** @param model from `loadModel`; answers one call after another or several at once, and stays the caller's to dispose */
export function createLanguageModel(model: Model, options: LanguageModelOptions = {}): SiskinLanguageModel {
  const { maxCacheBytes = 256 * 2 ** 20 } = options;
  const prefixes = new Prefixes(model, maxCacheBytes);
  const documents = new Documents(model, maxCacheBytes);

  /** A session for a call, which may hold the beginning of its conversation. */
  const begin = async ({ document, messages, tools, options: { signal } }: Call): Promise<Session> =>
    document ? documents.open(document, signal) : prefixes.take(messages, tools);

  /** The pieces of an answer. The session is kept for the next turn, or freed. */
  async function* answer(call: Call, onFinish: (finish: Finish) => void): AsyncGenerator<string, void, void> {
    const session = await begin(call);
    let kept = false;
    try {
      let end: AnswerEnd | undefined;
      let text = "";
      const onEnd = (given: AnswerEnd) => {
        end = given;
      };
      for await (const piece of session.chat(call.messages, { ...call.options, onEnd })) {
        text += piece;
        yield piece;
      }
      const calls = call.tools !== undefined && findToolCalls(text).calls.length > 0;
      onFinish(finishOf(end!, calls, session.byteLength));
      if (call.document) return;
      prefixes.keep(session, [...call.messages, { role: "assistant", content: text }], call.tools);
      kept = true;
    } finally {
      if (!kept) session.dispose();
    }
  }

  return {
    specificationVersion: "v4",
    provider: "siskin",
    modelId: options.modelId ?? model.name,
    supportedUrls: {},

    async doGenerate(given: LanguageModelV4CallOptions) {
      const call = readCall(given, model);
      let finish: Finish | undefined;
      let whole = "";
      const onFinish = (end: Finish) => {
        finish = end;
      };
      for await (const piece of answer(call, onFinish)) whole += piece;
      return { content: contentOf(whole, call.tools !== undefined), warnings: call.warnings, ...finish! };
    },

    async doStream(given: LanguageModelV4CallOptions) {
      const call = readCall(given, model);
      const parts = streamParts(call, answer);
      const stream = new ReadableStream<LanguageModelV4StreamPart>({
        async pull(controller) {
          try {
            const { done, value } = await parts.next();
            if (done) controller.close();
            else controller.enqueue(value);
          } catch (error) {
            controller.error(error);
          }
        },
        cancel: async () => void (await parts.return()),
      });
      return { stream };
    },

    dispose() {
      prefixes.dispose();
      documents.dispose();
    },
  };
}

/** An answer as the SDK's parts; one that may call tools comes as a whole. */
async function* streamParts(
  call: Call,
  answer: (call: Call, onFinish: (finish: Finish) => void) => AsyncGenerator<string, void, void>,
): AsyncGenerator<LanguageModelV4StreamPart, void, void> {
  yield { type: "stream-start", warnings: call.warnings };
  let finish: Finish | undefined;
  const onFinish = (end: Finish) => {
    finish = end;
  };
  const id = "text";
  let whole = "";
  for await (const delta of answer(call, onFinish)) {
    if (call.tools === undefined) {
      if (whole === "") yield { type: "text-start", id };
      yield { type: "text-delta", id, delta };
    }
    whole += delta;
  }
  if (call.tools === undefined) {
    if (whole !== "") yield { type: "text-end", id };
  } else {
    for (const part of contentOf(whole, true)) {
      if (part.type === "text") {
        yield { type: "text-start", id };
        yield { type: "text-delta", id, delta: part.text };
        yield { type: "text-end", id };
      } else if (part.type === "tool-call") yield part;
    }
  }
  yield { type: "finish", ...finish! };
}

function contentOf(answer: string, mayCall: boolean): LanguageModelV4Content[] {
  const { text, calls } = mayCall ? findToolCalls(answer) : { text: answer, calls: [] };
  return [
    ...(text === "" ? [] : [{ type: "text" as const, text }]),
    ...calls.map(({ id, name, input }) => ({ type: "tool-call" as const, toolCallId: id, toolName: name, input })),
  ];
}

function finishOf(end: AnswerEnd, calls: boolean, cacheBytes: number): Finish {
  const { reason, promptTokens, cachedTokens, answerTokens } = end;
  return {
    finishReason: { unified: calls ? "tool-calls" : reason === "length" ? "length" : "stop", raw: reason },
    usage: {
      inputTokens: {
        total: promptTokens,
        noCache: promptTokens - cachedTokens,
        cacheRead: cachedTokens,
        cacheWrite: undefined,
      },
      outputTokens: { total: answerTokens, text: answerTokens, reasoning: undefined },
    },
    providerMetadata: { siskin: { cachedTokens, cacheBytes } },
  };
}
