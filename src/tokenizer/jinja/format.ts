/** `format % values` and `format.format(...)`: the two ways of Python to put values into texts, with the forms d, e, f, g, i, r, s, u, x and %. */
import type { Budget } from "./budget.ts";
import { exponentialText, fixedText, generalText } from "./decimals.ts";
import { doubleOf, truncated, wholeOf } from "./numbers.ts";
import { floatText, repr, str } from "./text.ts";
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
  readonly width: number;
  /** "," or "_" between thousands, or "" */
  readonly grouping: string;
  readonly precision: number | undefined;
}

/** @throws Fault before more is written than the budget allows */
function padded(sign: string, body: string, { fill, align, width }: Layout, budget: Budget): string {
  const missing = Math.max(0, width - lengthOf(sign + body, budget));
  budget.characters(missing);
  const left = align === "<" || align === "=" ? 0 : align === "^" ? missing >> 1 : missing;
  const inside = align === "=" ? missing : 0;
  return fill.repeat(left) + sign + fill.repeat(inside) + body + fill.repeat(missing - left - inside);
}

/** A number that is not negative in one of the forms d, e, f, g, x and %, in their capitals too. */
function digitsOf(size: number | bigint, form: string, { precision = 6, grouping }: Layout): string {
  const double = Number(size);
  const forms: Record<string, () => string> = {
    d: () => String(size),
    x: () => size.toString(16),
    e: () => exponentialText(double, precision),
    f: () => fixedText(double, precision),
    g: () => generalText(double, precision),
    "%": () => `${fixedText(double * 100, precision)}%`,
    "": () => floatText(double),
  };
  const write = forms[form.toLowerCase()];
  if (!write) throw new Fault(`the format character '${form}' is not supported`);
  let digits = write();
  if (!Number.isFinite(double)) digits = (Number.isNaN(double) ? "nan" : "inf") + (form === "%" ? "%" : "");
  if (grouping) digits = digits.replace(/^\d+/, (whole) => whole.replace(/\B(?=(?:\d{3})+$)/g, grouping));
  return form === form.toLowerCase() ? digits : digits.toUpperCase();
}

function numberText(value: number | bigint, form: string, layout: Layout, budget: Budget): string {
  const isNegative = value < 0 || Object.is(value, -0);
  const body = digitsOf(isNegative ? -value : value, form, layout);
  return padded(isNegative ? "-" : layout.sign, body, layout, budget);
}

/** The first characters of a text, as far as the precision goes. */
function shortened(text: string, { precision }: Layout, budget: Budget): string {
  if (precision === undefined) return text;
  const characters = charactersOf(text, budget).slice(0, precision);
  return typeof characters === "string" ? characters : characters.join("");
}

/** A width or precision, which a template may set to anything. */
function count(text: string | undefined): number | undefined {
  if (text !== undefined && text.length > 9) throw new Fault("a width or precision is too large");
  return text === undefined ? undefined : Number(text);
}

// What can be subscripted is a mapping here, which may hold more than is used.
const isMapping = (value: Value) =>
  isList(value) || value instanceof Dict || value instanceof Range || value instanceof Undefined;

/** `format % values` @throws Fault as Python would raise, and for forms that are not supported */
export function percentFormat(format: string, values: Value, budget: Budget): string {
  budget.characters(format.length);
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let isNamed = false;
  const text = format.replace(
    /%(?:\(([^()]*)\))?([-+ #0]*)(\d*)(?:\.(\d*))?[hlL]?([\s\S]|$)/gu,
    (_, name: string | undefined, flags: string, width: string, precision: string | undefined, form: string) => {
      if (form === "%" && name === undefined) return "%";
      if (form === "" || form === "(" || form === "*" || flags.includes("#"))
        throw new Fault(`a format that goes on with '${form}' is incomplete or not supported`);
      let value: Value | undefined;
      if (name !== undefined) {
        isNamed = true;
        if (!(values instanceof Dict)) throw new Fault("format requires a mapping");
        value = values.get(name, budget);
      } else value = list[used++];
      if (value === undefined) throw new Fault("not enough arguments for format string");
      const align = flags.includes("-") ? "<" : flags.includes("0") ? "=" : ">";
      const layout: Layout = {
        fill: align === "=" ? "0" : " ",
        align,
        sign: flags.includes("+") ? "+" : flags.includes(" ") ? " " : "",
        width: count(width)!,
        grouping: "",
        precision: count(precision),
      };
      return converted(value, form, layout, budget);
    },
  );
  if (!isNamed && used < list.length && !isMapping(values))
    throw new Fault("not all arguments converted during string formatting");
  budget.characters(text.length);
  return text;
}

/** One value of a % format. */
function converted(value: Value, form: string, layout: Layout, budget: Budget): string {
  if (form === "s" || form === "r") {
    const text = form === "s" ? str(value, budget) : repr(value, budget);
    const align = layout.align === "<" ? "<" : ">";
    return padded("", shortened(text, layout, budget), { ...layout, fill: " ", align }, budget);
  }
  const double = doubleOf(value);
  if (double === undefined || (value instanceof Float && /x/i.test(form)))
    throw new Fault(`%${form} format: a number is required, not ${typeName(value)}`);
  if (!/[diux]/i.test(form)) return numberText(double, form, layout, budget);
  if (layout.precision !== undefined) throw new Fault("a precision of an integer is not supported");
  return numberText(wholeOf(value) ?? truncated(double), /x/i.test(form) ? form : "d", layout, budget);
}

/** Gives the value that a field of `format.format(...)` names. */
export type FieldLookup = (first: string | number, path: readonly { name: string; isItem: boolean }[]) => Value;

/** `format.format(...)` @throws Fault as Python would raise, and for fields within fields, which are not supported */
export function braceFormat(format: string, lookup: FieldLookup, budget: Budget): string {
  budget.characters(format.length);
  let automatic = 0;
  const text = format.replace(
    /\{\{|\}\}|\{((?:[^[\]{}!:]|\[[^[\]{}]*\])*)(?:!([rs]))?(?::([^{}]*))?\}|[{}]/g,
    (whole, path: string | undefined, conversion: string | undefined, specification = "") => {
      if (whole === "{{" || whole === "}}") return whole[0]!;
      if (path === undefined) throw new Fault("a field of the format string is malformed or not supported");
      const [first, ...rest] = path.matchAll(/^[^.[]*|\.([^.[]*)|\[([^\]]*)\]/g);
      const name = first![0];
      const value = lookup(
        name === "" ? automatic++ : /^\d+$/.test(name) ? count(name)! : name,
        rest.map(([part, attribute, item]) => ({ name: attribute ?? item!, isItem: part.startsWith("[") })),
      );
      if (conversion)
        return formatValue(conversion === "r" ? repr(value, budget) : str(value, budget), specification, budget);
      return formatValue(value, specification, budget);
    },
  );
  budget.characters(text.length);
  return text;
}

const specifications = /^(?:([\s\S])?([<>=^]))?([-+ ])?(0)?(\d*)([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;

/** `format(value, specification)` @throws Fault as Python would raise */
function formatValue(value: Value, specification: string, budget: Budget): string {
  if (specification === "") return str(value, budget);
  const match = specifications.exec(specification);
  if (!match) throw new Fault(`Invalid format specifier '${specification.slice(0, 40)}'`);
  const [, fill, align, sign = "", zero, width, grouping = "", precision, form = ""] = match;
  const isNumeric = isNumber(value);
  const layout: Layout = {
    fill: fill ?? (zero ? "0" : " "),
    align: align ?? (isNumeric ? (zero ? "=" : ">") : "<"),
    sign: sign === "-" ? "" : sign,
    width: count(width)!,
    grouping,
    precision: count(precision),
  };
  if (isText(value)) {
    if (!/^s?$/.test(form) || sign || grouping || layout.align === "=")
      throw new Fault(`Invalid format specifier '${specification}' for object of type 'str'`);
    return padded("", shortened(textOf(value), layout, budget), layout, budget);
  }
  if (!isNumeric) throw new Fault(`unsupported format string passed to ${typeName(value)}.__format__`);
  const whole = wholeOf(value);
  const isWhole = whole !== undefined && /^[dxX]?$/.test(form);
  if (isWhole ? layout.precision !== undefined : /[dxX]/.test(form))
    throw new Fault(`Invalid format specifier '${specification}' for object of type '${typeName(value)}'`);
  if (isWhole) return numberText(whole, form || "d", layout, budget);
  const double = doubleOf(value)!;
  if (form !== "" || layout.precision === undefined) return numberText(double, form, layout, budget);
  // Without a form the digits are those of g, and a float still looks like one.
  const general = digitsOf(Math.abs(double), "g", layout);
  const isNegative = double < 0 || Object.is(double, -0);
  return padded(isNegative ? "-" : layout.sign, /^\d+$/.test(general) ? `${general}.0` : general, layout, budget);
}
