/** The entry `siskin/tensor` for Cloudflare Workers. */
export * from "../tensor/index.ts";
export { loadCore } from "./core-workerd.ts";
