/** The chat template of a model: messages to the text it was trained on. */
import { FormatError } from "../errors.ts";
import { BoundedTemplate } from "./bounded-template.ts";

/** One message of a conversation. */
export interface Message {
  /** "system", "user", "assistant", or what else the template knows */
  role: string;
  content: string;
}

/** Writes conversations as a model's own template has them. */
export class ChatTemplate {
  readonly #template: BoundedTemplate;
  readonly #variables: { bos_token: string; eos_token: string };

  /**
   * @param source the template, in Jinja
   * @param variables the spelling of the model's tokens, "" where it has none
   * @param name the file's name, for errors
   * @throws FormatError when the template cannot be parsed, is too long or nests too deep
   */
  constructor(source: string, variables: { bos_token: string; eos_token: string }, name: string) {
    this.#template = new BoundedTemplate(source, name);
    this.#variables = variables;
  }

  /**
   * The template that a configuration's `chat_template` holds: a string, or a list of named ones, of which "default" is taken.
   *
   * @returns undefined when there is none
   * @throws FormatError as the constructor, or when the field is something else
   */
  static from(
    field: unknown,
    variables: { bos_token: string; eos_token: string },
    name: string,
  ): ChatTemplate | undefined {
    if (field == null) return undefined;
    const source = Array.isArray(field) ? field.find((entry) => entry?.name === "default")?.template : field;
    if (typeof source !== "string")
      throw new FormatError(name, "the chat template is neither a string nor a list with a default");
    return new ChatTemplate(source, variables, name);
  }

  /**
   * The text of a conversation, its special tokens written out.
   *
   * @param options.addGenerationPrompt end with the beginning of the assistant's answer
   * @throws ArgumentError with the template's own words when it refuses the messages
   * @throws FormatError when the template fails, works too long or writes too much
   */
  render(messages: readonly Message[], options: { addGenerationPrompt?: boolean } = {}): string {
    return this.#template.render(
      { ...this.#variables, messages, add_generation_prompt: options.addGenerationPrompt ?? false },
      { items: messages.length, characters: messages.reduce((sum, { content }) => sum + content.length, 0) },
    );
  }
}
