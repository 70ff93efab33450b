/** Paints a heat map in a terminal: 256 colours, or without colours only what was kept. */
import process from "node:process";
import { WriteStream } from "node:tty";
import { type HeatMap, sumLayers } from "./heat-map.ts";

/** Colours 16 to 255 of xterm: backgrounds from a brown to a bright yellow, each a step brighter. */
const RAMP = [94, 130, 136, 172, 178, 214, 220, 226];
/** Dark backgrounds carry white text, bright ones black. */
const FIRST_WITH_BLACK = 2;
/** A grey that can be read on black and on white. */
const DROPPED = "\x1b[38;5;243m";
const RESET = "\x1b[0m";

/**
 * The document, each token the brighter the more heads kept it. Control characters of the document are shown, not obeyed.
 * @param colours whether the terminal has 256; without, an ellipsis stands for what no head kept
 * @returns lines, the last with its end
 */
export function paintHeatMap(map: HeatMap, colours: boolean): string {
  const sums = sumLayers(map);
  const all = map.heads * map.layers.length;
  let painted = "";
  let last: string | undefined;
  for (const [token, text] of map.texts.entries()) {
    const style = colourOf(sums[token]! / all);
    if (colours) {
      // Ended before each line's end: a background would else run to the terminal's edge.
      const shown = visible(text).replaceAll("\n", `${RESET}\n${style}`);
      painted += style === last ? shown : `${RESET}${style}${shown}`;
    } else if (sums[token]! > 0) {
      painted += visible(text);
    } else if (last !== DROPPED) {
      painted += "…";
    }
    last = style;
  }
  return `${painted}${colours ? RESET : ""}\n`;
}

/** @param share of all heads, 0 to 1 @returns the escape sequence that begins its colour */
function colourOf(share: number): string {
  if (share === 0) return DROPPED;
  const step = Math.ceil(share * RAMP.length) - 1;
  return `\x1b[38;5;${step < FIRST_WITH_BLACK ? 231 : 16};48;5;${RAMP[step]}m`;
}

/** A document must not move the cursor or worse: control characters become their pictures (U+2400 and on), or U+FFFD. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    const code = character.charCodeAt(0);
    if (character === "\r") return "";
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/** Whether standard output takes 256 colours. FORCE_COLOR, NO_COLOR and TERM are heard, as everywhere in Node. */
export function hasColours(): boolean {
  if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) return false;
  // 8 bits for 256 colours. The method looks at the environment alone, and standard output may be a pipe without it.
  return WriteStream.prototype.getColorDepth() >= 8;
}
