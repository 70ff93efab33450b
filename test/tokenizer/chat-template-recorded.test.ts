/** Chat templates against recorded outputs of transformers: templates that are in use, and drawn ones with every construct of Jinja. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SiskinError } from "../../src/errors.ts";
import { ChatTemplate, type Message } from "../../src/tokenizer/chat-template.ts";
import { Budget } from "../../src/tokenizer/jinja/budget.ts";
import { strftime } from "../../src/tokenizer/jinja/strftime.ts";

const folder = "test/fixtures/chat-templates";
const read = <T>(name: string): T => {
  const bytes = readFileSync(`${folder}/${name}`);
  return JSON.parse((name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString()) as T;
};

interface Recorded {
  readonly messages: Record<string, Message[]>;
  /** which messages, with which arguments of apply_chat_template */
  readonly runs: [messages: string, variables: Record<string, unknown>][];
  /** for each run the first digits of the SHA-256 of the text, null where transformers failed */
  readonly templates: { name: string; source: string; template: string; outputs: (string | null)[] }[];
}

const { messages, runs, templates } = read<Recorded>("templates.json.gz");
const tokens = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" };
const isDated = (source: string) => source.includes("strftime_now");

/** The text, or null for an error of our own. */
function outcome(source: string, given: readonly Message[], variables: Record<string, unknown>, names = tokens) {
  const { add_generation_prompt: addGenerationPrompt, ...rest } = variables;
  try {
    const template = new ChatTemplate(new Map([["default", source]]), names, "t");
    return template.render(given, { addGenerationPrompt: addGenerationPrompt === true, ...rest });
  } catch (error) {
    if (error instanceof SiskinError) return null;
    throw error;
  }
}

const digest = (text: string | null) =>
  text === null ? null : createHash("sha256").update(text).digest("hex").slice(0, 12);

for (const { name, source, template, outputs } of templates)
  test(`${name} (${source})`, () => {
    const written = runs.map(([given, variables]) => outcome(template, messages[given]!, variables));
    // What has today's date in it can only be there or not.
    const compared = (list: readonly (string | null)[], isRecorded: boolean) =>
      isDated(template) ? list.map((text) => text !== null) : isRecorded ? list : list.map(digest);
    assert.equal(compared(written, false), compared(outputs, true));
  });

test("drawn templates", () => {
  const sets = read<{ variables: Record<string, unknown>; cases: [string, string | null][] }[]>("constructs.json.gz");
  const given = [
    { role: "user", content: "hi" },
    { role: "assistant", content: "yo " },
  ];
  assert.equal(
    sets.map(({ cases }) => cases.length),
    [1600, 1100],
  );
  for (const { variables, cases } of sets)
    for (const [template, expected] of cases) {
      const names = {} as typeof tokens;
      assert.is(outcome(template, given, { add_generation_prompt: true, ...variables }, names), expected, template);
    }
});

test("dates", () => {
  const budget = new Budget({ steps: 1_000_000, characters: 1_000_000 });
  const dates = read<[[number, number, number, number, number, number], string, string][]>("dates.json");
  assert.is(dates.length, 66);
  for (const [[year, month, ...rest], format, expected] of dates)
    assert.is(strftime(format, new Date(year, month - 1, ...rest), budget), expected, format);
});

test.run();
