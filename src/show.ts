/** A value of any kind as a short piece of an error's message, whatever it holds. */

const LONGEST_TEXT = 60;
const LONGEST = 120;
/** Items of a list or object that are shown, and how deep lists and objects are. */
const ITEMS = 6;
const DEPTH = 2;

/** One line of some 120 characters at most. Never throws. */
export function show(value: unknown): string {
  try {
    return clip(describe(value, DEPTH), LONGEST);
  } catch {
    return "a value that cannot be shown";
  }
}

/** The first characters of a text, and dots where it goes on. */
export function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text;
}

function describe(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(clip(value, LONGEST_TEXT));
    case "bigint":
      return BigInt.asIntN(128, value) === value ? `${value}n` : "a bigint of more than 128 bits";
    case "function":
      return "a function";
    case "symbol":
      return clip(String(value), LONGEST_TEXT);
    case "object":
      return value === null ? "null" : describeObject(value, depth);
    default:
      return String(value);
  }
}

function describeObject(value: object, depth: number): string {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (Array.isArray(value)) {
    if (depth === 0 && value.length > 0) return "[...]";
    const items = value.slice(0, ITEMS).map((item) => describe(item, depth - 1));
    return `[${[...items, ...(value.length > ITEMS ? ["..."] : [])].join(", ")}]`;
  }
  if (ArrayBuffer.isView(value)) return `a ${kind} of ${value.byteLength} bytes`;
  if (kind !== "Object") return `a ${kind}`;
  const name = className(value);
  if (name) return `a ${clip(name, LONGEST_TEXT)}`;
  const names = Object.keys(value);
  if (depth === 0 && names.length > 0) return "{...}";
  const items = names.slice(0, ITEMS).map((name) => {
    return `${clip(name, LONGEST_TEXT)}: ${describe((value as Record<string, unknown>)[name], depth - 1)}`;
  });
  return `{${[...items, ...(names.length > ITEMS ? ["..."] : [])].join(", ")}}`;
}

/** The name of an instance's class; undefined for an object that is only its properties, of whatever realm. */
function className(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined;
  const { name } = (prototype as { constructor?: { name?: unknown } }).constructor ?? {};
  return typeof name === "string" && name !== "" ? name : undefined;
}
