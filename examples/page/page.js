/** Answers the page's question from its text, in the page itself. */
import { loadModel } from "siskin";
import nano from "siskin-nano";

const element = (id) => document.getElementById(id);
// Two threads where the server isolates the page (serve.mjs does), else one.
const loading = loadModel(nano, { threads: "auto" });

element("ask").addEventListener("click", async () => {
  const model = await loading;
  const session = model.createSession();
  const question = element("question").value;
  await session.read(element("text").value, { questions: question });
  element("answer").value = "";
  for await (const piece of session.ask(question)) element("answer").value += piece;
  session.dispose();
});
