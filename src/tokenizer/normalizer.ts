/** A tokenizer.json's normalizer as steps, each doing what Python's tokenizers do. */
import { show } from "../show.ts";
import { type Component, escapePattern, type Reader } from "./components.ts";
import { ReplaceStage, type UnicodeForm, UnicodeFormStage } from "./stages/normalizer-stages.ts";
import { CharacterTable, PrecompiledStage } from "./stages/precompiled-stage.ts";
import { MapStage, PrefixStage, type Step, StripStage } from "./stages/stage.ts";
import { spell } from "./token-bytes.ts";

/** @throws FormatError for a normalizer that is malformed or not known */
export function readNormalizer(component: Component | null, reader: Reader): Step[] {
  return reader.steps(component, "normalizers", "normalizer").map((step) => readStep(step, reader));
}

function readStep(step: Component, reader: Reader): Step {
  switch (step.type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return (next) => new UnicodeFormStage(next, step.type as UnicodeForm);
    case "Lowercase":
      return map(lowercase);
    case "StripAccents":
      return map((text) => text.replace(/\p{M}/gu, ""));
    case "Nmt":
      return map((text) => text.replace(nmtRemoved, "").replace(nmtSpaces, " "));
    case "ByteLevel":
      return map(spell);
    case "Strip": {
      const [left, right] = [reader.flag(step, "strip_left", false), reader.flag(step, "strip_right", false)];
      return (next) => new StripStage(next, left, right);
    }
    case "Prepend": {
      const prefix = reader.text(step, "prepend");
      if (prefix === "" || prefix.length > longestPrefix)
        reader.fail(`the normalizer prepends nothing, or more than ${longestPrefix} characters`);
      return (next) => new PrefixStage(next, { prefix });
    }
    case "Replace":
      return readReplace(step, reader);
    case "Precompiled":
      return readPrecompiled(step, reader);
    default:
      return reader.fail(`the normalizer ${show(step.type)} is not supported`);
  }
}

const map =
  (change: (text: string) => string): Step =>
  (next) =>
    new MapStage(next, change);

// One mark or word stands before texts; every stretch of text would get what is longer.
const longestPrefix = 64;

/** One character at a time: a sigma at a word's end is a sigma. */
function lowercase(text: string): string {
  return text.includes("Σ") ? Array.from(text, (character) => character.toLowerCase()).join("") : text.toLowerCase();
}

// What Nmt takes out and what it takes for a space.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const nmtRemoved = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g;
const nmtSpaces = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

function readPrecompiled(step: Component, reader: Reader): Step {
  const encoded = reader.text(step, "precompiled_charsmap");
  if (typeof Intl?.Segmenter !== "function")
    return reader.fail('the normalizer "Precompiled" needs Intl.Segmenter, which this runtime lacks');
  const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
  try {
    const table = new CharacterTable(Uint8Array.from(atob(encoded), (unit) => unit.charCodeAt(0)));
    return (next) => new PrecompiledStage(next, table, segmenter);
  } catch (error) {
    return reader.fail(`the normalizer's precompiled table cannot be read: ${(error as Error).message}`);
  }
}

function readReplace(step: Component, reader: Reader): Step {
  const pattern = reader.pattern(step);
  const content = reader.text(step, "content");
  // One character for another, as SentencePiece's vocabularies have it.
  if ("text" in pattern && Array.from(pattern.text).length === 1 && content.length > 0 && content.length <= 8) {
    const { text } = pattern;
    return map((whole) => whole.replaceAll(text, () => content));
  }
  const source = "text" in pattern ? escapePattern(pattern.text) : pattern.source;
  const replacement = { ...reader.matcher(source), content };
  // Python's tokenizers then put it in where nothing was matched, too.
  if (replacement.matcher.mayBeEmpty)
    reader.fail(`a Replace of ${show(source)}, which can match nothing, is not supported`);
  return (next) => new ReplaceStage(next, replacement);
}
