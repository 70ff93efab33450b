/** From CommonJS, by a dynamic import: `node examples/commonjs.cjs FILE "QUESTION"`. */
const { readFileSync } = require("node:fs");

async function main([file, question]) {
  const { loadModel } = await import("siskin");
  const { default: nano } = await import("siskin-nano");
  const model = await loadModel(nano);
  const session = model.createSession();
  await session.read(readFileSync(file, "utf8"), { questions: question, budget: 512 });
  for await (const piece of session.ask(question)) process.stdout.write(piece);
  console.log();
  model.dispose();
}

main(process.argv.slice(2));
