/** Files of questions, what they are asked of, SQuAD's figures, the interval, and the passages that BM25 finds. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { type Corpus, parseCorpus } from "../../src/eval/corpus.ts";
import { CorpusTasks } from "../../src/eval/corpus-tasks.ts";
import { wilson } from "../../src/eval/interval.ts";
import { bestPassages } from "../../src/eval/passages.ts";
import { normalised, scoreSquad } from "../../src/eval/squad.ts";
import { loadModel } from "../../src/runtimes/node.ts";

const test = suite("corpus");
const { tokenizer } = await loadModel("models/nano");
const refused = (message: RegExp) => (error: unknown) => error instanceof FormatError && message.test(error.message);

const articles = [
  {
    title: "Houses",
    paragraphs: [
      { context: "The red house has 3 doors.", questions: [{ question: "How many doors?", answers: ["3"] }] },
      { context: "The blue house is of stone.", questions: [{ question: "Of what?", answers: ["stone", "of stone"] }] },
    ],
  },
  {
    title: "Ships",
    paragraphs: [{ context: "The Lark sank in 1701.", questions: [{ question: "When?", answers: ["1701"] }] }],
  },
];
const squad = {
  version: "v2.0",
  data: articles.map(({ title, paragraphs }) => ({
    title,
    paragraphs: paragraphs.map(({ context, questions }) => ({
      context,
      qas: [
        ...questions.map(({ question, answers }) => ({
          id: "x",
          question,
          is_impossible: false,
          answers: [...answers, answers[0]!].map((text) => ({ text, answer_start: context.indexOf(text) })),
        })),
        { id: "y", question: "Why?", is_impossible: true, answers: [] },
      ],
    })),
  })),
};

test("SQuAD's layout, XQuAD's, Hugging Face's rows and plain lines come to the same", () => {
  const expected = parseCorpus(JSON.stringify(articles), "a.json");
  assert.equal(expected.questions, [
    { question: "How many doors?", answers: ["3"], passages: [0] },
    { question: "Of what?", answers: ["stone", "of stone"], passages: [1] },
    { question: "When?", answers: ["1701"], passages: [2] },
  ]);
  assert.equal(expected.passages[1], { text: "The blue house is of stone.", article: "Houses" });
  const same = (corpus: Corpus) => assert.equal(corpus, expected);
  same(parseCorpus(JSON.stringify(squad), "a.json"));
  const rows = articles.flatMap(({ title, paragraphs }) =>
    paragraphs.flatMap(({ context, questions }) =>
      questions.map(({ question, answers }) => ({ title, context, question, answers: { text: answers } })),
    ),
  );
  same(parseCorpus(JSON.stringify(rows), "a.json"));
  const lines = rows.map(({ context, answers, ...row }) => ({ ...row, document: context, answers: answers.text }));
  same(parseCorpus(`${lines.map((row) => JSON.stringify(row)).join("\r\n")}\r\n\r\n`, "a.json"));
});

test("one line is a corpus, an answer may be a number, a question without an answer is left out", () => {
  const { questions } = parseCorpus('{"text": "It weighs 5 grams.", "question": "How much?", "answer": 5}', "a.jsonl");
  assert.equal(questions, [{ question: "How much?", answers: ["5"], passages: [0] }]);
  const row = (answers: unknown[]) => JSON.stringify({ text: "x", question: "y", answers });
  assert.is(parseCorpus(`${row([])}\n${row(["z"])}`, "a.jsonl").questions.length, 1);
});

test("HotpotQA: a question's documents, with their titles", () => {
  const { passages, questions } = parseCorpus(
    '[{"question": "Who?", "answer": "Ada", "context": [["Mill", ["It is old. ", "Ada built it."]], ["Sea", ["Wide."]]]}]',
    "hotpot.json",
  );
  assert.equal(
    passages.map(({ text }) => text),
    ["Mill\nIt is old. Ada built it.", "Sea\nWide."],
  );
  assert.equal(questions[0]!.passages, [0, 1]);
});

test("what is something else is refused with its place", () => {
  const cases: [text: string, message: RegExp][] = [
    ["", /a\.json: .*no question/],
    ["nothing", /line 1 is not JSON/],
    ['{"text": "a", "question": "b", "answer": "c"}\n{"text', /line 2 is not JSON/],
    ["[1]", /entry 1 is no object/],
    ['{"data": []}', /no question/],
    ['[{"question": "a", "answer": "b"}]', /entry 1 has no text for context, document or text/],
    ['[{"text": "a", "answer": "b"}]', /entry 1 has no text for question/],
    ['[{"text": "a", "question": "b", "answers": [{}]}]', /entry 1 has no text for answer/],
    ['[{"paragraphs": [{"context": "a"}]}]', /entry 1, paragraph 1 has no list of questions/],
    ['[{"context": ["a"], "question": "b", "answer": "c"}]', /entry 1 has a document without sentences/],
  ];
  for (const [text, message] of cases) assert.throws(() => parseCorpus(text, "a.json"), refused(message));
});

test("a question is asked of its paragraph, its article, and of all paragraphs in an order from the seed", () => {
  const tasks = new CorpusTasks(parseCorpus(JSON.stringify(articles), "a.json"), tokenizer);
  const made = Array.from({ length: 3 }, (_, index) => tasks.make("paragraph", 1, index));
  assert.equal(made.map(({ question }) => question).sort(), ["How many doors?", "Of what?", "When?"]);
  const index = made.findIndex(({ question }) => question === "Of what?");
  assert.is(made[index]!.text, "The blue house is of stone.");
  const article = tasks.make("article", 1, index);
  assert.is(article.text, "The red house has 3 doors.\n\nThe blue house is of stone.");
  assert.is(article.passage, "The blue house is of stone.");
  const { text, tokens, evidence } = tasks.make("collection", 1, index);
  assert.equal(text.split("\n\n").sort(), articles.flatMap((a) => a.paragraphs.map(({ context }) => context)).sort());
  const [{ first, end }] = evidence as [{ first: number; end: number }];
  assert.is(tokenizer.decode(tokens.subarray(first, end)), " stone");
  const orders = new Set([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => tasks.make("collection", seed, 0).text));
  assert.ok(orders.size > 1);
});

test("SQuAD's figures", () => {
  assert.is(normalised("  The  Quick, brown-ish fox; an 'A'! "), "quick brownish fox");
  assert.equal(scoreSquad("The Broncos.", ["Denver Broncos", "broncos"]), { exact: 1, f1: 1, contains: 1 });
  // 2 words of 5 given and 3 expected: precision 2/5, recall 2/3.
  assert.equal(scoreSquad("Denver won, the Broncos lost it", ["Denver Broncos team"]).f1, 0.5);
  assert.equal(scoreSquad("in 1308 or so", ["308"]), { exact: 0, f1: 0, contains: 0 });
  assert.equal(scoreSquad("It was 308 points", ["308"]).contains, 1);
  // As many times as it stands in both: "b" counts once.
  assert.equal(scoreSquad("b b b c", ["b d"]).f1, 1 / 3);
});

test("Wilson's interval as published tables have it", () => {
  const rounded = (part: number, trials: number) =>
    wilson(part, trials).map((end) => Math.round(end * 10_000) / 10_000);
  // R's prop.test(x, n, correct = FALSE), and Newcombe 1998, table I, method 3, for 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  assert.equal(rounded(81 / 263, 263), [0.2553, 0.3662]);
  assert.equal(rounded(15 / 148, 148), [0.0624, 0.1605]);
  assert.equal(rounded(0, 20), [0, 0.1611]);
  assert.equal(rounded(1 / 29, 29), [0.0061, 0.1718]);
  assert.is(wilson(1, 5)[1], 1);
});

test("BM25 finds the sentences of the question's words, as many as the budget holds, in the text's order", () => {
  const filling = "Nothing of interest happened on that long and quiet day by the sea. ".repeat(40);
  const text = `${filling}The lantern costs nine coins. ${filling}The lantern keeper lives in Dover. ${filling}`;
  const both = bestPassages(tokenizer, text, "Where does the lantern keeper live?", 300);
  assert.ok(both.includes("Dover") && both.indexOf("nine coins") < both.indexOf("Dover"), both);
  const one = bestPassages(tokenizer, text, "Where does the lantern keeper live?", 128);
  assert.ok(one.includes("Dover") && !one.includes("nine"));
  assert.ok(tokenizer.encode(one).length <= 128);
  assert.is(bestPassages(tokenizer, text, "Zebra?", 128), "");
  // A text without a sentence's end is cut between words.
  const list = Array.from({ length: 300 }, (_, index) => `word${index}`).join(" ");
  const part = bestPassages(tokenizer, list, "word250", 64);
  assert.ok(part.includes("word250") && tokenizer.encode(part).length <= 64 && list.includes(part), part);
});

test.run();
