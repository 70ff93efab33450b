/** `siskin serve` over a real socket: answers, a client that goes away, one line a request, and an end that lets what runs finish. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import OpenAI from "openai";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("siskin serve");

/** A server on a free port, its address, and the lines it has printed. */
async function start(...words: string[]) {
  const child: ChildProcess = spawn(process.execPath, ["dist/cli.js", "serve", "--port", "0", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: { path: string; status: number; answerTokens: number }[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(JSON.parse(line)));
  const [line] = (await once(createInterface({ input: child.stderr! }), "line")) as [string];
  const address = /http:\/\/\S+\/v1/.exec(line)![0];
  const ended = once(child, "exit") as Promise<[number | null]>;
  return { child, address, lines, ended };
}

test("answers OpenAI's client, frees who goes away, and ends when what runs is done", async () => {
  const { child, address, lines, ended } = await start("--name", "nano", "--api-key", "secret", "--max-tokens", "20");
  try {
    const client = new OpenAI({ baseURL: address, apiKey: "secret", maxRetries: 0 });
    const messages = [{ role: "user" as const, content: "Who are you?" }];
    const bias = { "1": -100 };
    const whole = await client.chat.completions.create({ model: "nano", messages, logit_bias: bias });
    assert.is(whole.usage!.completion_tokens, 20);
    const stream = await client.chat.completions.create({ model: "nano", messages, logit_bias: bias, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    assert.is(text, whole.choices[0]!.message.content);

    const long = { model: "nano", messages, logit_bias: bias, max_tokens: 2000, stream: true as const };
    for await (const _ of await client.chat.completions.create(long)) break;
    while (lines.length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(
      lines.map(({ path, status }) => [path, status]),
      [200, 200, 499].map((status) => ["/v1/chat/completions", status]),
    );
    const refused = await fetch(`${address}/models`, { headers: { authorization: "Bearer other" } });
    assert.is(refused.status, 401);

    const last = client.chat.completions.create({ model: "nano", messages, logit_bias: bias, max_tokens: 60 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill("SIGINT");
    assert.is((await last).usage!.completion_tokens, 60);
    assert.equal((await ended)[0], 0);
  } finally {
    child.kill("SIGKILL");
  }
});

test.run();
