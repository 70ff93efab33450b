/// <reference lib="esnext.disposable" preserve="true" />
/** The symbol of explicit resource management, `using`, on runtimes that have it and on those where only compilers know it. */
export const disposeSymbol: typeof Symbol.dispose =
  Symbol.dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
