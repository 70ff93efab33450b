/** The chat templates of a model: messages to the text it was trained on, as transformers' `apply_chat_template` writes it. */
import { ArgumentError, FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { fromJavaScript } from "./jinja/from-javascript.ts";
import { Template } from "./jinja/template.ts";
import type { Value } from "./jinja/values.ts";

/** One message of a conversation. Fields that are not named here reach the template as they are: `tool_calls`, `name` and others. */
export interface Message {
  /** "system", "user", "assistant", or what else the template knows */
  readonly role: string;
  /** a text, or parts such as `{ type: "text", text }` where the template knows them */
  readonly content?: string | readonly object[] | null | undefined;
  readonly [field: string]: unknown;
}

/** How a conversation is rendered. Options that are not named here are variables of the template, such as `enable_thinking`. */
export interface RenderOptions {
  /** end with the beginning of the assistant's answer */
  readonly addGenerationPrompt?: boolean | undefined;
  /** JSON schemas of functions that the model may call */
  readonly tools?: readonly object[] | null | undefined;
  /** documents to answer from, commonly with `title` and `text` */
  readonly documents?: readonly object[] | null | undefined;
  /** the name of a template, of a model that has several */
  readonly template?: string | undefined;
  readonly [variable: string]: unknown;
}

/** The spelling of a model's special tokens by the names that templates have for them: `bos_token`, `eos_token` and others. */
type TokenNames = Readonly<Record<string, string>>;

/** Names under which a message's reasoning is passed; the first is the one that templates read. */
const reasoningFields = ["reasoning_content", "thinking", "reasoning"] as const;

// What a template may do, whatever it is given, and how much more for each item and character that it is given. Measured: a typical
// prompt takes some hundred steps a message and reads and writes each of its characters some ten times.
const STEPS = 3_000_000;
const STEPS_FOR_EACH_ITEM = 1000;
const MOST_STEPS = 8_000_000;
const CHARACTERS = 16_000_000;
const CHARACTERS_FOR_EACH_CHARACTER = 48;

/** Writes conversations as a model's own templates have them. */
export class ChatTemplate {
  readonly #sources: ReadonlyMap<string, unknown>;
  readonly #parsed = new Map<string, Template>();
  readonly #tokens: TokenNames;
  readonly #file: string;

  /**
   * Nothing is parsed before it is used, so that a template that cannot be used costs nothing else.
   * @param sources Jinja by name, as a file has it: a single template is "default"
   * @param tokens the spelling of the model's tokens
   * @param file the file's name, for errors
   */
  constructor(sources: ReadonlyMap<string, unknown>, tokens: TokenNames, file: string) {
    this.#sources = sources;
    this.#tokens = tokens;
    this.#file = file;
  }

  /** Names of the templates; `render` takes "tool_use" where tools are given, else "default", unless told otherwise. */
  get names(): string[] {
    return [...this.#sources.keys()];
  }

  /**
   * The text of a conversation, its special tokens written out. A template from anywhere ends after at most 8 million steps, less than
   * a second, and reads and writes at most 16 million characters and 48 for each that it is given: at worst some 100 MB.
   *
   * @throws ArgumentError for messages or variables that cannot be, and with the template's own words when it refuses them
   * @throws FormatError when the template cannot be parsed, fails, works too long or writes too much
   */
  render(messages: readonly Message[], options: RenderOptions = {}): string {
    const { addGenerationPrompt = false, tools = null, documents = null, template, ...variables } = options;
    checkList("messages", messages);
    if (messages.length === 0) throw new ArgumentError("messages should hold at least one message");
    if (tools !== null) checkList("tools", tools);
    if (documents !== null) checkList("documents", documents);
    for (const name of ["messages", "add_generation_prompt"])
      if (Object.hasOwn(variables, name))
        throw new ArgumentError(`${name} cannot be given to a template as a variable`);
    const chosen = this.#choose(template, tools !== null);
    const given: Record<string, unknown> = {
      ...this.#tokens,
      ...variables,
      messages: messages.map(normalised),
      add_generation_prompt: Boolean(addGenerationPrompt),
      tools,
      documents,
    };
    const size = { items: 0, characters: 0 };
    const values = new Map<string, Value>();
    for (const [name, value] of Object.entries(given))
      if (value !== undefined) values.set(name, fromJavaScript(value, name, size));
    return chosen.render(values, {
      steps: Math.min(MOST_STEPS, STEPS + STEPS_FOR_EACH_ITEM * size.items),
      characters: CHARACTERS + CHARACTERS_FOR_EACH_CHARACTER * size.characters,
    });
  }

  #choose(wanted: string | undefined, hasTools: boolean): Template {
    const name = wanted ?? (hasTools && this.#sources.has("tool_use") ? "tool_use" : "default");
    const source = this.#sources.get(name);
    if (source === undefined) {
      const known = this.names.map((one) => JSON.stringify(one)).join(", ");
      if (wanted !== undefined)
        throw new ArgumentError(`There is no template ${JSON.stringify(wanted)}, only ${known}`);
      throw new FormatError(this.#file, `the model has no default chat template, only ${known || "none at all"}`);
    }
    if (typeof source !== "string")
      throw new FormatError(
        this.#file,
        `the chat template ${JSON.stringify(name)} should be a text and is ${show(source)}`,
      );
    const parsed = this.#parsed.get(name) ?? new Template(source, this.#file);
    this.#parsed.set(name, parsed);
    return parsed;
  }
}

/** @throws ArgumentError unless it is a list of objects */
function checkList(name: string, list: unknown): void {
  if (!Array.isArray(list)) throw new ArgumentError(`${name} should be a list and is ${show(list)}`);
  for (const [index, item] of list.entries())
    if (typeof item !== "object" || item === null || Array.isArray(item))
      throw new ArgumentError(`${name}[${index}] should be an object and is ${show(item)}`);
}

/** A message as transformers hands it on: without fields that are null, its reasoning under the names that templates read. */
function normalised(message: Message): Record<string, unknown> {
  const fields = Object.entries(message).filter(([, value]) => value !== null && value !== undefined);
  const kept = Object.fromEntries(fields);
  const reasoning = reasoningFields.map((field) => kept[field]).find((value) => value !== undefined);
  return reasoning === undefined ? kept : { thinking: reasoning, ...kept, reasoning_content: reasoning };
}
