/** The entry `siskin/tensor` for Vercel's edge functions. */
export * from "../tensor/index.ts";
export { loadCore } from "./core-edge-light.ts";
