/** A user's page, as it is or through a bundler: `start(inputs)` gives what came out. */
import * as siskin from "siskin";
import nano from "siskin-nano";
import { task } from "./task.js";

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

globalThis.start = async ({ text, questions, capsule, core }) => {
  await siskin.loadCore();
  const baseline = await WebAssembly.compile(bytesOf(core));
  const inputs = { text, questions, capsule: bytesOf(capsule) };
  return { ...(await task(siskin, nano, baseline, inputs)), made: undefined };
};

/** What an explicit number of threads gives. */
globalThis.twoThreads = () => siskin.loadModel(nano, { threads: 2 }).then(String, String);
