/** A tokenizer.json's pre-tokenizer as steps, each doing what Python's tokenizers do. */
import { show } from "../show.ts";
import { type Component, escapePattern, type Reader } from "./components.ts";
import type { Grouping } from "./pattern/digit-groups.ts";
import { type SplitBehavior, SplitStage } from "./stages/split-stage.ts";
import { MapStage, PrefixStage, type Step } from "./stages/stage.ts";
import { spell } from "./token-bytes.ts";

/** The pattern that splits text in GPT-2 and is built into the byte-level step. */
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const behaviors: readonly unknown[] = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

/** What becomes of text before the model. */
export interface PreTokenizer {
  readonly steps: readonly Step[];
  /** Whether the model is given bytes: the last step spells them, which the model does by itself. */
  readonly overBytes: boolean;
}

/**
 * @param options.mayBeOverBytes whether the model can be given bytes
 * @param options.normalizes whether there is a normalizer
 * @throws FormatError for a pre-tokenizer that is malformed or not known
 */
export function readPreTokenizer(
  component: Component | null,
  { mayBeOverBytes, normalizes }: { mayBeOverBytes: boolean; normalizes: boolean },
  reader: Reader,
): PreTokenizer {
  const parts = reader.steps(component, "pretokenizers", "pre-tokenizer");
  const spelled = parts.findIndex(({ type }) => type === "ByteLevel");
  // What a normalizer made of the first character, and that character's bytes, could each begin the text.
  const first = parts.findIndex(({ prepend_scheme }) => prepend_scheme === "first");
  if (first > 0 && (normalizes || (spelled >= 0 && spelled < first)))
    reader.fail(
      'a Metaspace with the prepend scheme "first" behind a ByteLevel, or behind other steps and a normalizer, is not supported',
    );
  const overBytes = mayBeOverBytes && parts.at(-1)?.type === "ByteLevel";
  const steps = parts.flatMap((part, index) => readStep(part, reader, overBytes && index === parts.length - 1));
  return { steps, overBytes };
}

/** @param isLast whether bytes need not be spelled */
function readStep(step: Component, reader: Reader, isLast: boolean): Step[] {
  const split = (source: string, behavior: SplitBehavior, invert = false): Step =>
    splitStep(source, reader, behavior, invert);
  switch (step.type) {
    case "ByteLevel":
      return [
        ...(reader.flag(step, "add_prefix_space", true)
          ? ([(next): PrefixStage => new PrefixStage(next, { prefix: " ", unless: " " })] satisfies Step[])
          : []),
        ...(reader.flag(step, "use_regex", true) ? [split(gpt2, "Isolated")] : []),
        ...(isLast ? [] : ([(next): MapStage => new MapStage(next, spell)] satisfies Step[])),
      ];
    case "Metaspace":
      return metaspace(step, reader);
    case "Split": {
      const pattern = reader.pattern(step);
      const source = "text" in pattern ? escapePattern(pattern.text) : pattern.source;
      return [split(source, behaviorOf(step, reader), reader.flag(step, "invert", false))];
    }
    case "Digits":
      return [split("\\p{N}", reader.flag(step, "individual_digits", false) ? "Isolated" : "Contiguous")];
    case "Punctuation":
      return [split(punctuation, step.behavior === undefined ? "Isolated" : behaviorOf(step, reader))];
    case "BertPreTokenizer":
      return [split("\\s", "Removed"), split(punctuation, "Isolated")];
    case "WhitespaceSplit":
      return [split("\\s", "Removed")];
    case "Whitespace":
      // The words of Rust's expressions have the joiners in them.
      return [split("[\\w\\x{200c}\\x{200d}]+|[^\\w\\x{200c}\\x{200d}\\s]+", "Removed", true)];
    case "CharDelimiterSplit": {
      const delimiter = reader.text(step, "delimiter");
      if (Array.from(delimiter).length !== 1) reader.fail("the delimiter is not one character");
      return [split(escapePattern(delimiter), "Removed")];
    }
    case "FixedLength": {
      const length = step.length ?? 5;
      if (typeof length !== "number" || !Number.isInteger(length) || length < 1 || length > 1000)
        return reader.fail("the length of pieces is not a whole number from 1 to 1000");
      return [split(`(?m:.{1,${length}})`, "Isolated")];
    }
    default:
      return reader.fail(`the pre-tokenizer ${show(step.type)} is not supported`);
  }
}

const punctuation = "[!-/:-@\\[-`{-~\\p{P}]";

function behaviorOf(step: Component, reader: Reader): SplitBehavior {
  return behaviors.includes(step.behavior)
    ? (step.behavior as SplitBehavior)
    : reader.fail(`the behaviour ${show(step.behavior)} of a ${step.type} is not known`);
}

/** A step that splits at the matches of a pattern. @throws FormatError for one that is not understood */
export function splitStep(pattern: string | Grouping, reader: Reader, behavior: SplitBehavior, invert = false): Step {
  const options = { ...reader.matcher(pattern), behavior, invert };
  return (next) => new SplitStage(next, options);
}

/** Spaces become a mark, one is put before a text, and text may be split before each. */
function metaspace(step: Component, reader: Reader): Step[] {
  const replacement = reader.text(step, "replacement");
  if (Array.from(replacement).length !== 1) reader.fail("the replacement of a Metaspace is not one character");
  const scheme = step.prepend_scheme ?? "always";
  if (scheme !== "always" && scheme !== "first" && scheme !== "never")
    return reader.fail(`the prepend scheme ${show(scheme)} is not known`);
  // The field of older files, which those that have the newer one repeat.
  const prefixed = reader.flag(step, "add_prefix_space", true);
  if (!prefixed && step.prepend_scheme !== undefined && scheme !== "never")
    return reader.fail("add_prefix_space and prepend_scheme of a Metaspace contradict each other");
  const steps: Step[] = [(next) => new MapStage(next, (text) => text.replaceAll(" ", () => replacement))];
  if (prefixed && scheme !== "never") {
    const options = { prefix: replacement, unless: replacement, onlyAtOrigin: scheme === "first" };
    steps.push((next) => new PrefixStage(next, options));
  }
  if (reader.flag(step, "split", true)) steps.push(splitStep(escapePattern(replacement), reader, "MergedWithNext"));
  return steps;
}
