#!/usr/bin/env node
/** The command line. */
import { loadModel } from "../node.ts";

console.log((await loadModel(process.argv[2] ?? "models/nano")).memory);
