/** A user's edge function of Vercel's. */
import * as siskin from "siskin";
import { task } from "./task.js";

globalThis.main = async ({ text, questions, capsule, core, model }) => {
  const bytes = Uint8Array.from(atob(capsule), (letter) => letter.charCodeAt(0));
  return JSON.stringify({ ...(await task(siskin, model, core, { text, questions, capsule: bytes })), made: undefined });
};
