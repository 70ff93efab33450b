/**
 * Names of the web's types that the public ones use. They merge with those of lib.dom or @types/node; in a program that
 * has neither they make the names known.
 */
declare namespace WebAssembly {
  interface Module {}
  interface Memory {}
}
interface AbortSignal {}
interface Blob {}
interface ReadableStream<R = any> {}
interface Response {}
interface URL {}
