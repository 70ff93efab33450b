/** All tests of the packed tarballs, in the order in which they run. */
import "./contents.mjs";
import "./runtimes.mjs";
import "./edge.mjs";
import "./pages.mjs";
import "./examples.mjs";
import { closeBrowser } from "./browser.mjs";
import { printTable } from "./same.mjs";
import { test } from "./support.mjs";

test("the table of runtimes", printTable);
test.after(closeBrowser);
test.run();
