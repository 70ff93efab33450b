/** A user's Worker, in Cloudflare's runtime: the model comes by the network, the core as a compiled module. */
import * as siskin from "siskin";
import core from "siskin/core.wasm";
import nano from "siskin-nano";
import { task } from "./task.js";

export default {
  async fetch(request) {
    const { text, questions, capsule } = await request.json();
    const bytes = Uint8Array.from(atob(capsule), (letter) => letter.charCodeAt(0));
    const result = await task(siskin, nano, core, { text, questions, capsule: bytes });
    return Response.json({ ...result, made: undefined });
  },
};
