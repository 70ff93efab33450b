/** The entry `siskin/tensor` for Node, Deno and Bun. */
export * from "../tensor/index.ts";
export { loadCore } from "./core-node.ts";
