/** What a user does, the same on every runtime: loads, reads, asks, forks, saves, and opens a capsule made elsewhere. */

/** A module with one function on relaxed SIMD: validates where the core's relaxed build is chosen. */
const relaxedProbe = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32],
  ...[1, 32, 2, 253, 133, 2, 11],
);

/**
 * @param siskin the package
 * @param source the model, as this runtime has it
 * @param baseline the baseline core, compiled
 * @param inputs text, questions, and a capsule that Node's baseline core made of the text (none: this run makes it)
 * @param options of loadModel
 * @returns what must be the same everywhere, and what the table shows
 */
export async function task(siskin, source, baseline, { text, questions, capsule }, options = { threads: "auto" }) {
  const start = Date.now();
  const model = await siskin.loadModel(source, options);
  const loaded = Date.now();
  const session = model.createSession();
  await session.read(text, { questions, budget: 512 });
  const read = Date.now();
  const answers = [];
  for (const question of questions) {
    // Each answer is a fork's: the session itself stays as it was after reading.
    const fork = session.fork();
    answers.push(await gather(fork.ask(question)));
    fork.dispose();
  }
  const own = model.openSession(session.save());
  const again = await gather(own.ask(questions[0]));
  const tokens = session.absolutePosition;
  const { threads, singleThreadReason, memory } = model;
  model.dispose();

  // The baseline core gives the same bits everywhere.
  const exact = await siskin.loadModel(source, { core: baseline });
  const made = capsule ?? (await capsuleOf(exact, text, questions));
  const opened = exact.openSession(made);
  const capsuleAnswer = await gather(opened.fork().ask(questions[1]));
  const logits = await digest(opened.prefill(exact.tokenizer.encode(questions[1])));
  const page = exact.createSession();
  const prefill = await digest(page.prefill(exact.tokenizer.encode(text.slice(0, 2000))));
  exact.dispose();

  const tensor = siskin.Tensor.from([1, 2, 3, 4], [2, 2]).matmul(siskin.Tensor.from([1, 0, 0, 1], [2, 2]));
  const product = [...tensor.toArray()];
  return {
    same: { answers, again, capsuleAnswer, logits, prefill, product },
    made,
    simd: WebAssembly.validate(relaxedProbe) ? "relaxed" : "baseline",
    threads,
    reason: singleThreadReason,
    loadMs: loaded - start,
    tokensPerSecond: Math.round((tokens * 1000) / (read - loaded)),
    bytes: memory.byteLength,
  };
}

async function capsuleOf(model, text, questions) {
  const session = model.createSession();
  await session.read(text.slice(0, 4000), { questions: questions.slice(0, 2), budget: 128 });
  const bytes = session.save();
  session.dispose();
  return bytes;
}

async function gather(pieces) {
  let all = "";
  for await (const piece of pieces) all += piece;
  return all;
}

/** Hexadecimal SHA-256 of the bytes of a typed array. */
async function digest(values) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", values));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
