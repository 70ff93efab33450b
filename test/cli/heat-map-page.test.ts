/** The heat map's page: well-formed, hostile text escaped, every token once, and a slider that paints each layer. */
import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { HeatMap } from "../../src/cli/heat-map.ts";
import { heatMapPage } from "../../src/cli/heat-map-page.ts";

const test = suite("heat map's page");

interface Element {
  name: string;
  attributes: Record<string, string>;
  children: (Element | string)[];
}

const VOID = ["meta", "input"];

/** Reads HTML strictly: every tag closed in its turn, every attribute quoted or empty, no bare & or <. */
function parse(html: string): Element {
  const root: Element = { name: "", attributes: {}, children: [] };
  const open = [root];
  const decode = (text: string) => {
    assert.not.match(text.replaceAll(/&#\d+;/g, ""), /[&<>\0\r]/);
    return text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
  };
  const pattern = /<!doctype html>|<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z-]+(?:="[^"]*")?)*)>/gy;
  for (let at = 0; at < html.length; ) {
    pattern.lastIndex = at;
    const tag = pattern.exec(html);
    if (!tag) {
      assert.is.not(html[at], "<", html.slice(at, at + 40));
      const next = html.indexOf("<", at);
      const end = next < 0 ? html.length : next;
      open[0]!.children.push(decode(html.slice(at, end)));
      at = end;
      continue;
    }
    at = pattern.lastIndex;
    const [, closing, name, words] = tag;
    if (!name) continue;
    if (closing) {
      assert.is(open.shift()!.name, name);
      continue;
    }
    const pairs = [...words!.matchAll(/ ([a-zA-Z-]+)(?:="([^"]*)")?/g)];
    const attributes = Object.fromEntries(pairs.map(([, key, value]) => [key!, decode(value ?? "")]));
    const element: Element = { name, attributes, children: [] };
    open[0]!.children.push(element);
    if (name === "script" || name === "style") {
      const end = html.indexOf(`</${name}`, at);
      element.children.push(html.slice(at, end));
      at = end;
    }
    if (!VOID.includes(name)) open.unshift(element);
  }
  assert.equal(open, [root]);
  return root;
}

const all = (element: Element, name: string): Element[] =>
  element.children.flatMap((child) =>
    typeof child === "string" ? [] : [...(child.name === name ? [child] : []), ...all(child, name)],
  );

const textOf = (element: Element): string =>
  element.children.map((child) => (typeof child === "string" ? child : textOf(child))).join("");

const hostile = ["<script>", "alert(1)", "</script>", "<!--", "&amp;", "</div></i>", "\"'", "\r\n", "", "\0", "é\n "];
const map: HeatMap = {
  texts: hostile,
  heads: 2,
  layers: [Uint16Array.of(2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 2), Uint16Array.of(2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1)],
};
const answers = [
  { question: "<img src=x onerror=alert(1)>?", answer: "</dd><script>alert(2)</script>" },
  { question: "And?", answer: "R&D" },
];
const html = heatMapPage(map, answers, "</title><script>alert(3)</script>.txt");
const page = parse(html);
const tokens = all(page, "i");
const scripts = all(page, "script");

test("every token once, in order, as it is in the document", () => {
  // HTML has no zero byte.
  assert.equal(tokens.map(textOf), [...hostile.slice(0, 9), "\ufffd", "é\n "]);
  const [document, ...others] = all(page, "div");
  assert.is(others.length, 0);
  assert.equal(document!.children, tokens);
});

test("hostile text stays text: in the document, the title, questions and answers", () => {
  assert.is(scripts.length, 2);
  for (const name of ["img", "link", "iframe", "a"]) assert.is(all(page, name).length, 0);
  const title = "</title><script>alert(3)</script>.txt";
  assert.is(textOf(all(page, "title")[0]!), `${title}: what was kept`);
  assert.is(textOf(all(page, "h1")[0]!), title);
  assert.equal(
    all(page, "dt").map(textOf),
    answers.map(({ question }) => question),
  );
  assert.equal(
    all(page, "dd").map(textOf),
    answers.map(({ answer }) => answer),
  );
});

test("nothing from elsewhere, and no script but the page's own", () => {
  assert.not.match(html, /https?:|src="|@import|url\(/);
  const policy = all(page, "meta").find(({ attributes }) => attributes["http-equiv"])!.attributes.content!;
  const digest = createHash("sha256").update(textOf(scripts[1]!)).digest("base64");
  assert.is(policy, `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${digest}'`);
  assert.equal(scripts[0]!.attributes, { type: "application/json", id: "layers" });
});

test("without its script the page shows all layers together", () => {
  const shades = tokens.map(({ attributes }) => attributes.style);
  const kept: Record<number, string> = { 0: "1", 1: "0.25", 3: "0.25", 8: "0.25", 10: "0.75" };
  assert.equal(
    shades,
    hostile.map((_, token) => (kept[token] ? `--kept:${kept[token]}` : undefined)),
  );
  assert.is(tokens[10]!.attributes.title, "3 of 4 heads");
  assert.match(textOf(all(page, "p")[0]!), /^Of 11 tokens 5 are kept by at least one of 4 heads\./);
  assert.is(all(page, "form")[0]!.attributes.hidden, "");
});

test("the slider paints a layer at a time, and all together again", () => {
  const shades = tokens.map(({ attributes }) => attributes.style?.slice("--kept:".length) ?? "");
  const children = shades.map((_, token) => ({
    style: {
      getPropertyValue: () => shades[token]!,
      setProperty: (name: string, value: string) => {
        assert.is(name, "--kept");
        shades[token] = value;
      },
    },
  }));
  const form = { hidden: true };
  const output = { textContent: "" };
  let paint = () => {};
  const slider = { value: "0", addEventListener: (_: string, listener: () => void) => (paint = listener) };
  const document = {
    getElementById: (id: string) => (id === "document" ? { children } : { textContent: textOf(scripts[0]!) }),
    querySelector: (name: string) => ({ input: slider, output, form })[name],
  };
  const together = [...shades];
  new Function("document", textOf(scripts[1]!))(document);
  assert.equal([form.hidden, output.textContent, shades], [false, "all layers", together]);
  for (const [layer, counts] of map.layers.entries()) {
    slider.value = String(layer + 1);
    paint();
    assert.is(output.textContent, `layer ${layer} of 0 to 1`);
    assert.equal(
      shades.map(Number),
      Array.from(counts, (heads) => heads / 2),
    );
  }
  slider.value = "0";
  paint();
  assert.equal([output.textContent, shades], ["all layers", together]);
  assert.is(all(page, "input")[0]!.attributes.max, "2");
});

test.run();
