/** The heat map: which heads kept each token, counted by hand and in a session, and how a terminal shows it. */
import { stripVTControlCharacters } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countKept, heatMap, sumLayers } from "../../src/cli/heat-map.ts";
import { paintHeatMap } from "../../src/cli/heat-map-terminal.ts";
import { loadModel } from "../../src/runtimes/node.ts";

const test = suite("heat map");

test("counts heads by token; entries before the document and behind it are none of it", () => {
  const positions = [[0, 3, 4, 9], [4, 6, 7], Int32Array.of(2, 3, 4, 5), []];
  assert.equal([...countKept(positions, 3, 4)], [2, 3, 1, 1]);
  assert.equal([...countKept(positions, 0, 10)], [1, 0, 1, 2, 3, 1, 1, 1, 0, 1]);
  assert.equal([...countKept(positions, 3, 0)], []);
});

for (const scheme of ["contiguous", "original"] as const) {
  test(`a session's heads, each with its own entries, in the ${scheme} scheme`, async () => {
    const model = await loadModel("models/nano");
    const { layers, kvHeads } = model.config;
    const session = model.createSession({ scheme });
    const document = "Émile paid 35 € for the lamp \u{1f4a1}, twice.\n\nThe <s> is text.";
    const tokens = model.tokenizer.encode(document);
    const before = model.tokenizer.encode("What stood here before. ");
    session.prefill([...before, ...tokens]);
    // Layer l, head h keep every (2 + l + h)th entry: 2, 3, ... apart.
    const total = before.length + tokens.length;
    const kept = (layer: number, head: number) =>
      Array.from({ length: total }, (_, i) => i).filter((i) => i % (2 + layer + head) === 0);
    session.keep(
      Array.from({ length: layers }, (_, layer) => Array.from({ length: kvHeads }, (_, head) => kept(layer, head))),
    );
    const map = heatMap(session, tokens);
    assert.is(map.texts.length, tokens.length);
    assert.is(map.texts.join(""), document);
    assert.is(map.heads, kvHeads);
    const expected = Array.from({ length: layers }, (_, layer) =>
      Array.from({ length: tokens.length }, (_, token) => {
        const position = before.length + token;
        return (position % (2 + layer) === 0 ? 1 : 0) + (position % (3 + layer) === 0 ? 1 : 0);
      }),
    );
    assert.equal(
      map.layers.map((counts) => [...counts]),
      expected,
    );
    assert.equal(
      [...sumLayers(map)],
      Array.from({ length: tokens.length }, (_, token) => expected.reduce((sum, counts) => sum + counts[token]!, 0)),
    );
    model.dispose();
  });
}

/** One layer of 8 heads. */
const map = (texts: string[], counts: number[]) => ({ texts, heads: 8, layers: [Uint16Array.from(counts)] });

test("colours: a grey for what was dropped, brighter backgrounds for more heads, none across a line's end", () => {
  const painted = paintHeatMap(map(["one", " two", " three\n", "four", " five"], [0, 1, 8, 8, 0]), true);
  const grey = "\x1b[0m\x1b[38;5;243m";
  const bright = "\x1b[38;5;16;48;5;226m";
  assert.is(
    painted,
    `${grey}one\x1b[0m\x1b[38;5;231;48;5;94m two\x1b[0m${bright} three\x1b[0m\n${bright}four${grey} five\x1b[0m\n`,
  );
});

test("the ramp has a step for each eighth of the heads", () => {
  const painted = paintHeatMap(map([..."abcdefgh"], [1, 2, 3, 4, 5, 6, 7, 8]), true);
  const backgrounds = [...painted.matchAll(/48;5;(\d+)m/g)].map(([, colour]) => Number(colour));
  assert.equal(backgrounds, [94, 130, 136, 172, 178, 214, 220, 226]);
});

test("without colours: what was kept, and one ellipsis for each gap", () => {
  const painted = paintHeatMap(map(["a", "b", "c\n", "d", "e", "f"], [0, 0, 3, 1, 0, 0]), false);
  assert.is(painted, "…c\nd…\n");
});

test("a document's control characters are shown and not obeyed", () => {
  const hostile = "\x1b[2J\x07\x9b31m\x7f\t\0\r\n";
  assert.is(paintHeatMap(map([hostile], [1]), false), "␛[2J␇\ufffd31m␡\t␀\n\n");
  assert.is(stripVTControlCharacters(paintHeatMap(map([hostile], [0]), true)), "␛[2J␇\ufffd31m␡\t␀\n\n");
});

test.run();
