/** Dates as C's strftime writes them in the locale C, which is what Python calls. */
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = "January February March April May June July August September October November December".split(" ");

/** Formats that stand for others. */
const composed: Record<string, string> = {
  c: "%a %b %e %H:%M:%S %Y",
  D: "%m/%d/%y",
  F: "%Y-%m-%d",
  h: "%b",
  r: "%I:%M:%S %p",
  R: "%H:%M",
  T: "%H:%M:%S",
  x: "%m/%d/%y",
  X: "%H:%M:%S",
};

/** From 0. */
const dayOfYear = (date: Date) =>
  Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000,
  );
/** From Monday as 0. */
const weekday = (date: Date) => (date.getDay() + 6) % 7;

/** The day, counted from 0, of the year that its week belongs to by ISO 8601: the year that has the week's Thursday. */
function thursday(date: Date): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() - weekday(date) + 3);
}

/** What each letter stands for: a text, or a number, how wide it is and what fills it. */
const fields: Record<string, (date: Date) => string | readonly [value: number, width: number, fill?: string]> = {
  a: (date) => days[date.getDay()]!.slice(0, 3),
  A: (date) => days[date.getDay()]!,
  b: (date) => months[date.getMonth()]!.slice(0, 3),
  B: (date) => months[date.getMonth()]!,
  C: (date) => [Math.floor(date.getFullYear() / 100), 2],
  d: (date) => [date.getDate(), 2],
  e: (date) => [date.getDate(), 2, " "],
  f: (date) => [date.getMilliseconds() * 1000, 6],
  g: (date) => [thursday(date).getFullYear() % 100, 2],
  G: (date) => [thursday(date).getFullYear(), 4],
  H: (date) => [date.getHours(), 2],
  I: (date) => [date.getHours() % 12 || 12, 2],
  j: (date) => [dayOfYear(date) + 1, 3],
  k: (date) => [date.getHours(), 2, " "],
  l: (date) => [date.getHours() % 12 || 12, 2, " "],
  m: (date) => [date.getMonth() + 1, 2],
  M: (date) => [date.getMinutes(), 2],
  n: () => "\n",
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  P: (date) => (date.getHours() < 12 ? "am" : "pm"),
  s: (date) => [Math.floor(date.getTime() / 1000), 1],
  S: (date) => [date.getSeconds(), 2],
  t: () => "\t",
  u: (date) => [date.getDay() || 7, 1],
  U: (date) => [Math.floor((dayOfYear(date) + 7 - date.getDay()) / 7), 2],
  V: (date) => [Math.floor(dayOfYear(thursday(date)) / 7) + 1, 2],
  w: (date) => [date.getDay(), 1],
  W: (date) => [Math.floor((dayOfYear(date) + 7 - weekday(date)) / 7), 2],
  y: (date) => [date.getFullYear() % 100, 2],
  Y: (date) => [date.getFullYear(), 4],
  // Python's `now` knows no time zone.
  z: () => "",
  Z: () => "",
  "%": () => "%",
};

/** `datetime.strftime(format)` for a time in the runtime's own time zone. */
export function strftime(format: string, date: Date, budget: Budget): string {
  budget.characters(4 * format.length);
  return format.replace(/%([-_0^#]*)(\d*)[EO]?([a-zA-Z%])/g, (whole, flags: string, width: string, letter: string) => {
    budget.step(4);
    if (width.length > 3) throw new Fault("a date with a width of more than 999 is not supported");
    const one = composed[letter] ? strftime(composed[letter], date, budget) : fields[letter]?.(date);
    if (one === undefined) return whole;
    const flag = flags.match(/[-_0]/g)?.at(-1);
    let text: string;
    if (typeof one === "string") text = one.padStart(Number(width), flag === "0" ? "0" : " ");
    else {
      const [value, ownWidth, ownFill = "0"] = one;
      const fill = flag === "_" ? " " : flag === "0" ? "0" : ownFill;
      text = flag === "-" ? String(value) : String(value).padStart(Number(width) || ownWidth, fill);
    }
    budget.characters(text.length);
    if (flags.includes("^")) return text.toUpperCase();
    if (!flags.includes("#")) return text;
    return letter === "p" || letter === "Z" ? text.toLowerCase() : text.toUpperCase();
  });
}
