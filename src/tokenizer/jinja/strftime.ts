/** Dates as C's strftime writes them in the locale C, which is what Python calls. */
import type { Budget } from "./budget.ts";
import { Fault } from "./values.ts";

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

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

/** A number, how wide it is and what fills it. */
type Field = string | readonly [value: number, width: number, fill?: string];

/** Day of the year from 0, and whether years have 366 days. */
const dayOfYear = (date: Date) =>
  Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000,
  );
const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

/** The year and week of ISO 8601. */
function isoWeek(date: Date): [year: number, week: number] {
  const year = date.getFullYear();
  const weekday = (date.getDay() + 6) % 7;
  const week = Math.floor((dayOfYear(date) - weekday + 10) / 7);
  const weeksOf = (one: number) => {
    const first = new Date(one, 0, 1).getDay();
    return first === 4 || (first === 3 && isLeap(one)) ? 53 : 52;
  };
  if (week < 1) return [year - 1, weeksOf(year - 1)];
  return week > weeksOf(year) ? [year + 1, 1] : [year, week];
}

function field(letter: string, date: Date): Field | undefined {
  const hour12 = date.getHours() % 12 || 12;
  switch (letter) {
    case "a":
      return days[date.getDay()]!.slice(0, 3);
    case "A":
      return days[date.getDay()]!;
    case "b":
      return months[date.getMonth()]!.slice(0, 3);
    case "B":
      return months[date.getMonth()]!;
    case "C":
      return [Math.floor(date.getFullYear() / 100), 2];
    case "d":
      return [date.getDate(), 2];
    case "e":
      return [date.getDate(), 2, " "];
    case "f":
      return [date.getMilliseconds() * 1000, 6];
    case "g":
      return [isoWeek(date)[0] % 100, 2];
    case "G":
      return [isoWeek(date)[0], 4];
    case "H":
      return [date.getHours(), 2];
    case "I":
      return [hour12, 2];
    case "j":
      return [dayOfYear(date) + 1, 3];
    case "k":
      return [date.getHours(), 2, " "];
    case "l":
      return [hour12, 2, " "];
    case "m":
      return [date.getMonth() + 1, 2];
    case "M":
      return [date.getMinutes(), 2];
    case "n":
      return "\n";
    case "p":
      return date.getHours() < 12 ? "AM" : "PM";
    case "P":
      return date.getHours() < 12 ? "am" : "pm";
    case "s":
      return [Math.floor(date.getTime() / 1000), 1];
    case "S":
      return [date.getSeconds(), 2];
    case "t":
      return "\t";
    case "u":
      return [date.getDay() || 7, 1];
    case "U":
      return [Math.floor((dayOfYear(date) + 7 - date.getDay()) / 7), 2];
    case "V":
      return [isoWeek(date)[1], 2];
    case "w":
      return [date.getDay(), 1];
    case "W":
      return [Math.floor((dayOfYear(date) + 7 - ((date.getDay() + 6) % 7)) / 7), 2];
    case "y":
      return [date.getFullYear() % 100, 2];
    case "Y":
      return [date.getFullYear(), 4];
    // Python's `now` knows no time zone.
    case "z":
    case "Z":
      return "";
    case "%":
      return "%";
  }
  return undefined;
}

/** `datetime.strftime(format)` for a time in the runtime's own time zone. */
export function strftime(format: string, date: Date, budget: Budget): string {
  budget.characters(4 * format.length);
  return format.replace(/%([-_0^#]*)(\d*)[EO]?([a-zA-Z%])/g, (whole, flags: string, width: string, letter: string) => {
    budget.step(4);
    if (width.length > 3) throw new Fault("a date with a width of more than 999 is not supported");
    const replaced = composed[letter];
    const one = replaced === undefined ? field(letter, date) : strftime(replaced, date, budget);
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
