/** Values as Python writes them: str, repr and json.dumps. */
import type { Budget } from "./budget.ts";
import { compareValues } from "./compare.ts";
import { Fault } from "./faults.ts";
import { Dict, Float, isList, isText, Markup, Tuple, textOf, typeName, Undefined, type Value } from "./values.ts";

/** `str(value)` */
export function str(value: Value, budget: Budget): string {
  if (typeof value === "string") return value;
  if (value instanceof Undefined) return "";
  return value instanceof Markup ? value.text : repr(value, budget);
}

/** `repr(value)` @throws Fault for what templates have no use for in writing */
export function repr(value: Value, budget: Budget): string {
  const pieces: string[] = [];
  const write = (piece: string) => {
    budget.piece(piece);
    pieces.push(piece);
  };
  const all = <T>(items: Iterable<T>, open: string, close: string, each: (item: T) => void) => {
    write(open);
    let isFirst = true;
    for (const item of items) {
      if (!isFirst) write(", ");
      isFirst = false;
      each(item);
    }
    write(close);
  };
  const visit = (item: Value): void => {
    budget.step();
    budget.nested(() => visitOne(item));
  };
  const visitOne = (item: Value) => {
    if (typeof item === "string") write(quoted(item, budget));
    else if (item === null) write("None");
    else if (typeof item === "boolean") write(item ? "True" : "False");
    else if (typeof item === "number") write(String(item));
    else if (item instanceof Float) write(floatText(item.value));
    else if (item instanceof Undefined) write("Undefined");
    else if (item instanceof Markup) write(`Markup(${quoted(item.text, budget)})`);
    else if (isList(item)) all(item, "[", "]", visit);
    else if (item instanceof Dict)
      all(item.entries(), "{", "}", ([key, one]) => {
        visit(key);
        write(": ");
        visit(one);
      });
    else if (item instanceof Tuple && item.type === "tuple")
      all(item.items, "(", item.items.length === 1 ? ",)" : ")", visit);
    else if (item instanceof Tuple && item.type !== "range") all(item.items, `${item.type}([`, "])", visit);
    else throw new Fault(`a ${typeName(item)} cannot be written`);
  };
  visit(value);
  return pieces.join("");
}

const unprintable = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
const everyUnprintable = new RegExp(unprintable, "gu");
const escapes: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** `repr` of a text: quotes as Python chooses them, what cannot be printed escaped. */
function quoted(text: string, budget: Budget): string {
  budget.characters(text.length);
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let result = text.replaceAll("\\", "\\\\");
  if (quote === "'") result = result.replaceAll("'", "\\'");
  if (unprintable.test(result)) {
    result = result.replace(everyUnprintable, (character) => {
      return escapes[character] ?? hexadecimal(character.codePointAt(0)!);
    });
  }
  return quote + result + quote;
}

/** A character as \x, \u or \U. */
export function hexadecimal(code: number): string {
  const [letter, digits] = code > 0xffff ? ["U", 8] : code > 0xff ? ["u", 4] : ["x", 2];
  return `\\${letter}${code.toString(16).padStart(digits as number, "0")}`;
}

/** `repr` of a float. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [mantissa, power] = Math.abs(value).toExponential().split("e") as [string, string];
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16)
    return `${sign}${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  const digits = mantissa.replace(".", "");
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

/** Options of `json.dumps`, as the `tojson` filter of transformers has them. */
export interface JsonOptions {
  readonly ensureAscii: boolean;
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/** `json.dumps(value)` @throws Fault for what JSON has no form for */
export function json(value: Value, options: JsonOptions, budget: Budget): string {
  const pieces: string[] = [];
  const write = (piece: string) => {
    budget.piece(piece);
    pieces.push(piece);
  };
  const text = (content: string) => {
    budget.characters(content.length);
    const string = JSON.stringify(content);
    write(options.ensureAscii ? string.replace(/[^ -~]/g, (unit) => hexadecimal16(unit)) : string);
  };
  const newLine = (level: number) => {
    if (options.indent === undefined) return;
    budget.characters(options.indent.length * level + 1);
    pieces.push(`\n${options.indent.repeat(level)}`);
  };
  const all = (items: Iterable<Value>, open: string, close: string, each: (item: Value) => void, level: number) => {
    let count = 0;
    for (const item of items) {
      write(count++ === 0 ? open : options.separators[0]);
      newLine(level + 1);
      each(item);
    }
    if (count === 0) write(open);
    else newLine(level);
    write(close);
  };
  const scalar = (item: Value): string | undefined => {
    if (item === null) return "null";
    if (typeof item === "boolean" || typeof item === "number") return String(item);
    if (!(item instanceof Float)) return undefined;
    if (Number.isFinite(item.value)) return floatText(item.value);
    return Number.isNaN(item.value) ? "NaN" : item.value > 0 ? "Infinity" : "-Infinity";
  };
  const visit = (item: Value, level: number) => {
    budget.step();
    const plain = scalar(item);
    if (plain !== undefined) write(plain);
    else if (isText(item)) text(textOf(item));
    else if (isList(item) || (item instanceof Tuple && item.type === "tuple"))
      budget.nested(() => all(isList(item) ? item : item.items, "[", "]", (one) => visit(one, level + 1), level));
    else if (item instanceof Dict) {
      const keys = [...item.keys()];
      budget.slots(keys.length);
      if (options.sortKeys) keys.sort((a, b) => compareValues(a, b, budget));
      const entry = (key: Value) => {
        const name = isText(key) ? textOf(key) : scalar(key);
        if (name === undefined) throw new Fault(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
        text(name);
        write(options.separators[1]);
        visit(item.get(key, budget)!, level + 1);
      };
      budget.nested(() => all(keys, "{", "}", entry, level));
    } else throw new Fault(`Object of type ${typeName(item)} is not JSON serializable`);
  };
  visit(value, 0);
  return pieces.join("");
}

const hexadecimal16 = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;" };

/** `escape(value)` of markupsafe. */
export function escaped(value: Value, budget: Budget): Markup {
  if (value instanceof Markup) return value;
  const text = str(value, budget);
  budget.characters(6 * text.length);
  return new Markup(text.replace(/[&<>'"]/g, (character) => entities[character]!));
}
