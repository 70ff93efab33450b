/**
 * A Cloudflare Worker that reads the posted text and answers questions about it:
 *
 *   curl --data-binary @document.txt "https://HOST/?question=Who+will+speak%3F&question=When%3F"
 */
import { loadModel } from "siskin";

/** The model stays in the isolate from request to request. */
let loading;

/** Streams the model from the bucket into the core's memory: its bytes never lie in the JavaScript heap. */
async function load(bucket) {
  const file = await bucket.get("nano.gguf");
  return loadModel(file.body);
}

export default {
  async fetch(request, env, context) {
    const questions = new URL(request.url).searchParams.getAll("question");
    if (request.method !== "POST" || questions.length === 0) {
      return new Response("POST a text to /?question=...&question=...\n", { status: 400 });
    }
    loading ??= load(env.MODELS).catch((error) => {
      loading = undefined;
      throw error;
    });
    context.waitUntil(loading);
    const model = await loading;
    const session = model.createSession();
    try {
      // The text is read as it arrives, so it may be of any length.
      await session.read(request.body.pipeThrough(new TextDecoderStream()), { questions, budget: 512 });
      const answers = [];
      for (const question of questions) {
        let answer = "";
        for await (const piece of session.ask(question)) answer += piece;
        answers.push({ question, answer });
      }
      return Response.json({ answers, tokens: session.absolutePosition, memory: model.memory });
    } finally {
      session.dispose();
    }
  },
};
