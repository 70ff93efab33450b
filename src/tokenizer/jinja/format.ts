/** `format % values` and `format.format(...)`: the two ways of Python to put values into texts, with the forms d, f, r and s. */
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";
import { doubleOf, exact, wholeOf } from "./numbers.ts";
import { floatText, repr, str } from "./text.ts";
import { charactersOf, Dict, isNumber, isText, lengthOf, Tuple, textOf, typeName, type Value } from "./values.ts";

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

/** A number. @param write gives the digits of one that is not negative */
function numberText(value: number, write: (size: number) => string, layout: Layout, budget: Budget): string {
  const isNegative = value < 0 || Object.is(value, -0);
  let digits = write(Math.abs(value));
  if (layout.grouping) digits = digits.replace(/^\d+/, (whole) => whole.replace(/\B(?=(?:\d{3})+$)/g, layout.grouping));
  return padded(isNegative ? "-" : layout.sign, digits, layout, budget);
}

const fixed = (value: number, layout: Layout, budget: Budget) =>
  numberText(value, (size) => fixedText(size, layout.precision ?? 6), layout, budget);

/** More than that no double can be told apart by; JavaScript gives at most 100. */
const MOST_DECIMALS = 80;

/** A number that is not negative with so many decimals, of two that are as near the even one as in Python. @throws Fault */
export function fixedText(value: number, decimals: number): string {
  if (decimals > MOST_DECIMALS || value >= 1e21 || Number.isNaN(value))
    throw new Fault(`a number with more than ${MOST_DECIMALS} decimals or beyond 1e21 is not supported`);
  const up = value.toFixed(decimals);
  const all = value.toFixed(100);
  const end = all.length - 100 + decimals;
  // JavaScript rounds up where Python rounds to the even digit.
  const isTie = /^50*$/.test(all.slice(end));
  const down = all.slice(0, decimals === 0 ? end - 1 : end);
  return isTie && Number(down.at(-1)) % 2 === 0 ? down : up;
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

/** `format % values` @throws Fault as Python would raise, and for forms that are not supported */
export function percentFormat(format: string, values: Value, budget: Budget): string {
  budget.characters(format.length);
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let isNamed = false;
  const text = format.replace(
    /%(?:\(([^()]*)\))?([-+ 0]*)(\d*)(?:\.(\d*))?([\s\S]|$)/gu,
    (_, name: string | undefined, flags: string, width: string, precision: string | undefined, form: string) => {
      if (form === "%" && name === undefined) return "%";
      let value = list[used];
      if (name === undefined) used++;
      else {
        isNamed = true;
        if (!(values instanceof Dict)) throw new Fault("format requires a mapping");
        value = values.get(name, budget);
      }
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
  // What can be subscripted is a mapping here, which may hold more than is used.
  if (
    !isNamed &&
    used < list.length &&
    (isNumber(values) || isText(values) || values instanceof Tuple || values === null)
  )
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
  if (!/^[df]$/.test(form) || (form === "d" && layout.precision !== undefined))
    throw new Fault(`a format that ends with '${form}' is incomplete or not supported`);
  const double = doubleOf(value);
  if (double === undefined) throw new Fault(`%${form} format: a number is required, not ${typeName(value)}`);
  if (form === "f") return fixed(double, layout, budget);
  return numberText(exact(Math.trunc(double)), String, layout, budget);
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
      if (conversion === undefined) return formatValue(value, specification, budget);
      return formatValue(conversion === "r" ? repr(value, budget) : str(value, budget), specification, budget);
    },
  );
  budget.characters(text.length);
  return text;
}

const specifications = /^(?:([\s\S])?([<>=^]))?([-+ ])?(0)?(\d*)([,_])?(?:\.(\d+))?([dfs])?$/u;

/** `format(value, specification)` @throws Fault as Python would raise, and for forms that are not supported */
function formatValue(value: Value, specification: string, budget: Budget): string {
  if (specification === "") return str(value, budget);
  const refuse = (): never => {
    const shown = specification.slice(0, 40);
    throw new Fault(`the format specifier '${shown}' is invalid or not supported for a ${typeName(value)}`);
  };
  const [, fill, align, sign = "", zero, width, grouping = "", precision, form] =
    specifications.exec(specification) ?? refuse();
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
    if ((form ?? "s") !== "s" || sign || grouping || layout.align === "=") return refuse();
    return padded("", shortened(textOf(value), layout, budget), layout, budget);
  }
  if (!isNumeric || form === "s") return refuse();
  const double = doubleOf(value)!;
  if (form === "f") return fixed(double, layout, budget);
  const isWhole = wholeOf(value) !== undefined;
  if (layout.precision !== undefined || (form === "d" && !isWhole)) return refuse();
  return numberText(double, isWhole ? String : floatText, layout, budget);
}
