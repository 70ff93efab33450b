/** The entry `siskin/tensor` for browsers and bundlers. */
export * from "../tensor/index.ts";
export { loadCore } from "./core-browser.ts";
