/** A process that holds one engine and runs the jobs it is sent: node-host.mjs MODULE OPTIONS. */
import process from "node:process";

const [module, options] = process.argv.slice(2);
const { open } = await import(module);
const engine = await open(JSON.parse(options));
process.on("message", async (job) => process.send(await engine.run(job)));
process.send("ready");
