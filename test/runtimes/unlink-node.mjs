/** Takes the `node` of the test runtimes off the path of npm's scripts, which would else run by it and not by the user's own. */
import { rmSync } from "node:fs";

rmSync(new URL("../../node_modules/.bin/node", import.meta.url), { force: true });
