/** `format % values` and `format.format(...)`: the two ways of Python to put values into texts. */
import type { Budget } from "./budget.ts";
import { exponentialText, fixedText, generalText } from "./decimals.ts";
import { doubleOf, truncated, wholeOf } from "./numbers.ts";
import { floatText, hexadecimal, repr, str } from "./text.ts";
import {
  charactersOf,
  Dict,
  Fault,
  Float,
  isList,
  isNumber,
  isText,
  lengthOf,
  Range,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** How a value is laid out. */
interface Layout {
  readonly fill: string;
  /** where the value stands; "=" puts the filling behind the sign */
  readonly align: string;
  /** "+", " " or "" */
  readonly sign: string;
  readonly alternate: boolean;
  readonly width: number;
  readonly grouping: string;
  readonly precision: number | undefined;
}

/** @throws Fault before more is written than the budget allows */
function padded(sign: string, body: string, layout: Layout, budget: Budget): string {
  const missing = Math.max(0, layout.width - lengthOf(sign + body, budget));
  budget.characters(missing + body.length);
  const filling = (count: number) => layout.fill.repeat(count);
  if (layout.align === "<") return sign + body + filling(missing);
  if (layout.align === "^") return filling(missing >> 1) + sign + body + filling(missing - (missing >> 1));
  return layout.align === "=" ? sign + filling(missing) + body : filling(missing) + sign + body;
}

const signOf = (negative: boolean, layout: Layout) => (negative ? "-" : layout.sign);

function grouped(digits: string, layout: Layout): string {
  if (!layout.grouping) return digits;
  const [, whole, rest] = /^(\d*)(.*)$/s.exec(digits)!;
  return whole!.replace(/\B(?=(?:\d{3})+$)/g, layout.grouping) + rest;
}

/** A double in one of the forms e, f, g and %, in their capitals too. */
function doubleText(value: number, form: string, layout: Layout, budget: Budget): string {
  const size = Math.abs(value) * (form === "%" ? 100 : 1);
  const precision = layout.precision ?? 6;
  const forms: Record<string, () => string> = {
    e: () => exponentialText(size, precision),
    f: () => fixedText(size, precision),
    g: () => generalText(size, precision, layout.alternate),
    "%": () => `${fixedText(size, precision)}%`,
  };
  let body: string;
  if (Number.isFinite(value)) {
    body = grouped(forms[form.toLowerCase()]!(), layout);
    if (layout.alternate && !body.includes(".")) body = body.replace(/^\d+/, "$&.");
  } else body = (Number.isNaN(value) ? "nan" : "inf") + (form === "%" ? "%" : "");
  if (form !== form.toLowerCase()) body = body.toUpperCase();
  return padded(signOf(value < 0 || Object.is(value, -0), layout), body, layout, budget);
}

/** An int in one of the forms d, b, o, x and X. */
function wholeText(value: number | bigint, form: string, layout: Layout, budget: Budget): string {
  const radix = { b: 2, o: 8, x: 16, X: 16 }[form] ?? 10;
  const digits = BigInt(value)
    .toString(radix)
    .replace("-", "")
    .padStart(layout.precision ?? 0, "0");
  const prefix = layout.alternate && radix !== 10 ? `0${form}` : "";
  const body = form === "X" ? digits.toUpperCase() : digits;
  return padded(signOf(value < 0, layout) + prefix, grouped(body, layout), layout, budget);
}

/** The first characters of a text. */
function shortened(text: string, most: number | undefined, budget: Budget): string {
  if (most === undefined) return text;
  const characters = charactersOf(text, budget);
  if (characters.length <= most) return text;
  return typeof characters === "string" ? characters.slice(0, most) : characters.slice(0, most).join("");
}

const ascii = (text: string) => text.replace(/[^\0-\x7f]/gu, (character) => hexadecimal(character.codePointAt(0)!));

/** A width or precision, which a template may set to anything. */
function count(text: string): number {
  if (text.length > 9) throw new Fault("a width or precision is too large");
  return Number(text);
}

/** `format % values` @throws Fault as Python would raise */
export function percentFormat(format: string, values: Value, budget: Budget): string {
  budget.characters(format.length);
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let named = false;
  const next = (): Value => {
    if (used >= list.length) throw new Fault("not enough arguments for format string");
    return list[used++]!;
  };
  const pieces: string[] = [];
  let place = 0;
  for (let start = format.indexOf("%"); start >= 0; start = format.indexOf("%", place)) {
    pieces.push(format.slice(place, start));
    place = start + 1;
    let name: string | undefined;
    if (format[place] === "(") {
      let depth = 1;
      const first = ++place;
      while (depth > 0) {
        if (place >= format.length) throw new Fault("incomplete format key");
        const character = format[place++];
        depth += character === "(" ? 1 : character === ")" ? -1 : 0;
      }
      name = format.slice(first, place - 1);
      named = true;
    }
    const match = /([-+ #0]*)(\*|\d*)(?:\.(\*|\d*))?[hlL]?(.?)/suy;
    match.lastIndex = place;
    const [whole, flags, width, precision, form] = match.exec(format) as unknown as string[];
    place += whole!.length;
    if (form === "") throw new Fault("incomplete format");
    const size = (text: string | undefined): number | undefined => {
      if (text === undefined) return undefined;
      if (text !== "*") return count(text);
      const value = next();
      if (typeof value !== "number") throw new Fault("* wants int");
      return count(String(Math.abs(value))) * Math.sign(value);
    };
    const wanted = size(width) ?? 0;
    const digits = size(precision);
    if (form === "%" && name === undefined) {
      pieces.push("%");
      continue;
    }
    const value = name === undefined ? next() : field(values, name, budget);
    const left = flags!.includes("-") || wanted < 0;
    const layout: Layout = {
      fill: !left && flags!.includes("0") ? "0" : " ",
      align: left ? "<" : flags!.includes("0") ? "=" : ">",
      sign: flags!.includes("+") ? "+" : flags!.includes(" ") ? " " : "",
      alternate: flags!.includes("#"),
      width: Math.abs(wanted),
      grouping: "",
      precision: digits === undefined ? undefined : Math.max(0, digits),
    };
    pieces.push(converted(value, form!, layout, budget));
  }
  pieces.push(format.slice(place));
  if (!named && used < list.length && !isMapping(values))
    throw new Fault("not all arguments converted during string formatting");
  return pieces.join("");
}

// What can be subscripted is a mapping here, which may hold more than is used.
const isMapping = (value: Value) =>
  isList(value) || value instanceof Dict || value instanceof Range || value instanceof Undefined;

function field(values: Value, name: string, budget: Budget): Value {
  if (!(values instanceof Dict)) throw new Fault("format requires a mapping");
  const value = values.get(name, budget);
  if (value === undefined) throw new Fault(`there is no ${JSON.stringify(name)} for the format`);
  return value;
}

/** One value of a % format. */
function converted(value: Value, form: string, layout: Layout, budget: Budget): string {
  const text = (content: string) =>
    padded(
      "",
      shortened(content, layout.precision, budget),
      { ...layout, fill: " ", align: layout.align === "<" ? "<" : ">" },
      budget,
    );
  if (form === "s") return text(str(value, budget));
  if (form === "r") return text(repr(value, budget));
  if (form === "a") return text(ascii(repr(value, budget)));
  if (form === "c") {
    if (isText(value) && lengthOf(textOf(value), budget) === 1) return text(textOf(value));
    if (typeof value === "number" && value >= 0 && value <= 0x10ffff) return text(String.fromCodePoint(value));
    throw new Fault("%c requires int or char");
  }
  if (!"diuoxXeEfFgG".includes(form)) throw new Fault(`unsupported format character '${form}'`);
  const double = doubleOf(value);
  if (double === undefined || (value instanceof Float && "oxX".includes(form)))
    throw new Fault(`%${form} format: a number is required, not ${typeName(value)}`);
  if ("diu".includes(form)) return wholeText(wholeOf(value) ?? truncated(double), "d", layout, budget);
  return "oxX".includes(form)
    ? wholeText(wholeOf(value)!, form, layout, budget)
    : doubleText(double, form, layout, budget);
}

/** Gives the value that a field of `format.format(...)` names. */
export type FieldLookup = (first: string | number, path: readonly { name: string; isItem: boolean }[]) => Value;

/** `format.format(...)` @throws Fault as Python would raise */
export function braceFormat(format: string, lookup: FieldLookup, budget: Budget): string {
  let automatic = 0;
  const expand = (text: string, depth: number): string => {
    if (depth < 0) throw new Fault("Max string recursion exceeded");
    budget.characters(text.length);
    const pieces: string[] = [];
    const braces = /[{}]/g;
    for (let place = 0; place < text.length; ) {
      braces.lastIndex = place;
      const start = braces.exec(text)?.index ?? text.length;
      pieces.push(text.slice(place, start));
      place = start;
      if (place === text.length) break;
      const brace = text[place];
      if (text[place + 1] === brace) {
        pieces.push(brace!);
        place += 2;
        continue;
      }
      if (brace === "}") throw new Fault("Single '}' encountered in format string");
      let end = place + 1;
      for (let open = 1; open > 0; end++) {
        if (end >= text.length) throw new Fault("expected '}' before end of string");
        open += text[end] === "{" ? 1 : text[end] === "}" ? -1 : 0;
      }
      pieces.push(one(text.slice(place + 1, end - 1), depth));
      place = end;
    }
    return pieces.join("");
  };
  const one = (content: string, depth: number): string => {
    const match = /^((?:[^[\]!:]|\[[^\]]*\])*)(?:!(.))?(?::(.*))?$/s.exec(content);
    if (!match) throw new Fault("a field of the format string is malformed");
    const [first, ...path] = match[1]!.matchAll(/\.([^.[]*)|\[([^\]]*)\]|^[^.[]*/g);
    let name: string | number = first?.[0] ?? "";
    if (name === "") name = automatic++;
    else if (/^\d+$/.test(name)) name = count(name);
    const value = lookup(
      name,
      path.map(([whole, attribute, item]) => ({ name: attribute ?? item!, isItem: whole.startsWith("[") })),
    );
    const convert: Record<string, () => Value> = {
      s: () => str(value, budget),
      r: () => repr(value, budget),
      a: () => ascii(repr(value, budget)),
    };
    const conversion = match[2] === undefined ? () => value : convert[match[2]];
    if (!conversion) throw new Fault(`Unknown conversion specifier ${match[2]}`);
    return formatValue(conversion(), expand(match[3] ?? "", depth - 1), budget);
  };
  return expand(format, 2);
}

const specification = /^(?:(.)?([<>=^]))?([-+ ])?z?(#)?(0)?(\d*)([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su;

/** `format(value, specification)` @throws Fault as Python would raise */
function formatValue(value: Value, text: string, budget: Budget): string {
  if (text === "") return str(value, budget);
  const match = specification.exec(text);
  if (!match) throw new Fault(`Invalid format specifier '${text.slice(0, 40)}'`);
  const [, fill, align, sign = "", alternate, zero, width = "", grouping = "", precision, form] = match;
  const layout: Layout = {
    fill: fill ?? (zero ? "0" : " "),
    align: align ?? (zero && isNumber(value) ? "=" : isNumber(value) ? ">" : "<"),
    sign: sign === "-" ? "" : sign,
    alternate: alternate !== undefined,
    width: count(width),
    grouping,
    precision: precision === undefined ? undefined : count(precision),
  };
  const refuse = (): never => {
    throw new Fault(`Unknown format code '${form}' for object of type '${typeName(value)}'`);
  };
  if (isText(value)) {
    if (form !== undefined && form !== "s") return refuse();
    if (sign || layout.alternate || grouping || layout.align === "=")
      throw new Fault("Sign, '=', '#' and ',' are not allowed in string format specifier");
    return padded("", shortened(textOf(value), layout.precision, budget), layout, budget);
  }
  if (!isNumber(value)) throw new Fault(`unsupported format string passed to ${typeName(value)}.__format__`);
  const whole = wholeOf(value);
  if (whole !== undefined && (form === undefined || "bcdnoxX".includes(form))) {
    if (layout.precision !== undefined) throw new Fault("Precision not allowed in integer format specifier");
    if (form === "c") return padded("", String.fromCodePoint(Number(whole)), layout, budget);
    return wholeText(whole, form ?? "d", layout, budget);
  }
  if (form !== undefined && "bcdosxX".includes(form)) return refuse();
  const double = doubleOf(value)!;
  if (form !== undefined) return doubleText(double, form === "n" ? "g" : form, layout, budget);
  if (layout.precision !== undefined) {
    const general = doubleText(Math.abs(double), "g", { ...layout, width: 0, sign: "" }, budget);
    const body = /^\d+$/.test(general) ? `${general}.0` : general;
    return padded(signOf(double < 0, layout), body, layout, budget);
  }
  return padded(
    signOf(double < 0 || Object.is(double, -0), layout),
    grouped(floatText(Math.abs(double)), layout),
    layout,
    budget,
  );
}
