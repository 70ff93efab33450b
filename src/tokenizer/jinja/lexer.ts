/** The text of a template as tokens, with white space dropped as transformers has Jinja drop it (`trim_blocks`, `lstrip_blocks`). */

import { Fault } from "./faults.ts";
import { exact } from "./numbers.ts";
import { isSpace, space } from "./spaces.ts";
import { hexadecimal } from "./text.ts";
import { Float, type Value } from "./values.ts";

/** A token. */
export interface Token {
  /** an operator itself, or what it is */
  readonly type: string;
  /** text, name or operator */
  readonly text: string;
  /** of a string or number */
  readonly value: Value;
  /** where it begins, in the template without carriage returns */
  readonly offset: number;
}

const sticky = (pattern: string, flags = "") => new RegExp(pattern, `y${flags}`);

const rawBegin = sticky(`\\{%([-+]?)${space}*raw${space}*(?:-%\\}${space}*|%\\})`);
const rawEnd = sticky(`\\{%([-+]?)${space}*endraw${space}*(?:\\+%\\}|-%\\}${space}*|%\\}\\n?)`);
const ends = {
  "%": sticky(`\\+%\\}|-%\\}${space}*|%\\}\\n?`),
  "{": sticky(`-\\}\\}${space}*|\\}\\}`),
};
const spaces = sticky(`${space}+`);
const isBlank = new RegExp(`^${space}+$`);
const float = sticky("(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?e[+-]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+)", "i");
const whole = sticky("[1-9](?:_?\\d)*|0(?:_?0)*");
const word = sticky("[\\p{L}\\p{N}\\p{M}\\p{Pc}\\u00b7]+", "u");
const identifier = /^[\p{XIDS}_]\p{XIDC}*$/u;
const operator = sticky("//|\\*\\*|==|!=|>=|<=|[-+/*%~[\\](){}><=.:|,;]");
const closing: Record<string, string> = { "(": ")", "[": "]", "{": "}" };

/** The template's lines end in \n, and the last has no end. */
export function normalised(source: string): string {
  const text = source.replace(/\r\n?/g, "\n");
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

/** @param source as `normalised` gives it @throws Fault for what is no template */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const add = (type: string, text: string, offset: number, value: Value = null) =>
    tokens.push({ type, text, value, offset });
  let place = 0;
  let atLineStart = true;

  /** Text before a tag, which takes white space away from its end. */
  const data = (text: string, sign: string, isBlock: boolean) => {
    let kept = text;
    if (sign === "-") {
      let end = text.length;
      while (end > 0 && isSpace(text[end - 1]!)) end--;
      kept = text.slice(0, end);
    } else if (sign !== "+" && isBlock) {
      const line = text.lastIndexOf("\n") + 1;
      if ((line > 0 || atLineStart) && isBlank.test(text.slice(line))) kept = text.slice(0, line);
    }
    if (kept) add("data", kept, place);
  };
  const pass = (end: number) => {
    if (end > place) atLineStart = source[end - 1] === "\n";
    place = end;
  };
  const matchAt = (pattern: RegExp, offset: number) => {
    pattern.lastIndex = offset;
    return pattern.exec(source);
  };

  const inTag = (kind: "%" | "{") => {
    const open: string[] = [];
    while (place < source.length) {
      const end = open.length === 0 ? matchAt(ends[kind], place) : null;
      if (end) {
        add(kind === "%" ? "block_end" : "variable_end", end[0], place);
        pass(place + end[0].length);
        return;
      }
      const begin = place;
      const take = (pattern: RegExp): string | undefined => {
        const match = matchAt(pattern, place);
        if (match) place += match[0].length;
        return match?.[0];
      };
      if (take(spaces) !== undefined) continue;
      const number = (source[place - 1] === "." ? undefined : take(float)) ?? take(whole);
      if (number !== undefined) {
        const value = exactly(number);
        add(value instanceof Float ? "float" : "integer", number, begin, value);
        continue;
      }
      const name = take(word);
      if (name !== undefined) {
        if (!identifier.test(name)) throw failure("an identifier has a character that it cannot have", source, begin);
        add("name", name, begin);
        continue;
      }
      const quote = source[place]!;
      if (quote === "'" || quote === '"') {
        let last = place + 1;
        while (last < source.length && source[last] !== quote) last += source[last] === "\\" ? 2 : 1;
        if (last >= source.length) throw failure("a string is not closed", source, begin);
        const text = source.slice(place + 1, last);
        place = last + 1;
        add("string", text, begin, unescaped(text, source, begin));
        continue;
      }
      const sign = take(operator);
      if (sign === undefined) throw failure(`unexpected character ${JSON.stringify(quote)}`, source, begin);
      if (closing[sign] !== undefined) open.push(closing[sign]!);
      else if (")]}".includes(sign)) {
        const expected = open.pop();
        if (expected !== sign)
          throw failure(`unexpected '${sign}'${expected ? `, expected '${expected}'` : ""}`, source, begin);
      }
      add(sign, sign, begin);
    }
  };

  while (place < source.length) {
    let tag = source.indexOf("{", place);
    while (tag >= 0 && !"%{#".includes(source[tag + 1] ?? " ")) tag = source.indexOf("{", tag + 1);
    if (tag < 0) {
      add("data", source.slice(place), place);
      break;
    }
    const kind = source[tag + 1]!;
    const text = source.slice(place, tag);
    const raw = kind === "%" ? matchAt(rawBegin, tag) : null;
    if (raw) {
      data(text, raw[1]!, true);
      pass(tag + raw[0].length);
      let stop = source.indexOf("{%", place);
      let end = stop < 0 ? null : matchAt(rawEnd, stop);
      while (stop >= 0 && !end) {
        stop = source.indexOf("{%", stop + 2);
        end = stop < 0 ? null : matchAt(rawEnd, stop);
      }
      if (!end) throw failure("the end of a raw block is missing", source, tag);
      data(source.slice(place, stop), end[1]!, true);
      pass(stop + end[0].length);
      continue;
    }
    const sign = /[-+]/.test(source[tag + 2] ?? "") ? source[tag + 2]! : "";
    data(text, sign, kind !== "{");
    place = tag + 2 + sign.length;
    if (kind === "#") {
      const end = source.indexOf("#}", place);
      if (end < 0) throw failure("the end of a comment is missing", source, tag);
      const last = end > place ? source[end - 1] : "";
      place = end + 2;
      if (last === "-") {
        const after = matchAt(spaces, place);
        if (after) place += after[0].length;
      } else if (last !== "+" && source[place] === "\n") place++;
      atLineStart = source[place - 1] === "\n";
      continue;
    }
    add(kind === "%" ? "block_begin" : "variable_begin", source.slice(tag, place), tag);
    inTag(kind as "%" | "{");
  }
  add("end", "", source.length);
  return tokens;
}

/** A fault of the template's text. */
export function failure(fault: string, source: string, offset: number): Fault {
  return new Fault(`${fault} (line ${lineOf(source, offset)})`);
}

function lineOf(source: string, offset: number): number {
  let line = 1;
  for (let place = source.indexOf("\n"); place >= 0 && place < offset; place = source.indexOf("\n", place + 1)) line++;
  return line;
}

/** The value of a number as it is written. */
function exactly(text: string): Value {
  const number = Number(text.replaceAll("_", ""));
  return /[.e]/i.test(text) ? new Float(number) : exact(number);
}

const controls: Record<string, string> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** A string's content, as Python's codec "unicode-escape" reads it. */
function unescaped(text: string, source: string, offset: number): string {
  if (!text.includes("\\")) return text;
  // A backslash before a character that is not ASCII escapes the escape that Jinja has made of that character.
  const escapes = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S])|$)/gu;
  return text.replace(escapes, (whole, ...groups: (string | undefined)[]) => {
    const [x, u, U, octal, other] = groups;
    const code = Number.parseInt(x ?? u ?? U ?? "", 16);
    if (code > 0x10ffff) throw failure("a string has an escape beyond Unicode", source, offset);
    if (!Number.isNaN(code)) return String.fromCodePoint(code);
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    if (other === undefined || "xuUN".includes(other))
      throw failure("a string has an escape that is not complete", source, offset);
    if (other > "\x7f") {
      return hexadecimal(other.codePointAt(0)!);
    }
    return controls[other] ?? whole;
  });
}
