/** Writes a heat map as one page of HTML that needs nothing else: the document, a slider over layers, the answers. */
import { createHash } from "node:crypto";
import { count } from "./figures.ts";
import { type HeatMap, sumLayers } from "./heat-map.ts";

/** A question and what the model said. */
export interface Answer {
  readonly question: string;
  readonly answer: string;
}

// Shades are transparent; the full one leaves black text readable on a light page and white text on a dark one.
const STYLE = `
:root { color-scheme: light dark; --shade: 255 150 0; }
@media (prefers-color-scheme: dark) { :root { --shade: 170 80 0; } }
body { max-width: 50rem; margin: 0 auto; padding: 1rem; font: 1rem/1.6 system-ui, sans-serif; }
dt { font-weight: bold; }
dd { margin: 0 0 0.7rem; white-space: pre-wrap; }
form { position: sticky; top: 0; padding: 0.5rem 0; background: Canvas; border-bottom: 1px solid GrayText; }
form label { display: flex; flex-wrap: wrap; gap: 0 1rem; }
input { flex: 1; min-width: 12rem; }
#document { white-space: pre-wrap; overflow-wrap: anywhere; font-family: Georgia, serif; }
#document i { font-style: normal; background: rgb(var(--shade) / var(--kept, 0)); }
`;

// Without it the page shows all layers together. It reads numbers only, and writes nothing but styles and a label.
const SCRIPT = `
const { heads, layers } = JSON.parse(document.getElementById("layers").textContent);
const tokens = document.getElementById("document").children;
const slider = document.querySelector("input");
const together = Array.from(tokens, (token) => token.style.getPropertyValue("--kept"));
function paint() {
  const layer = Number(slider.value) - 1;
  document.querySelector("output").textContent = layer < 0 ? "all layers" : "layer " + layer + " of 0 to " + (layers.length - 1);
  for (let i = 0; i < tokens.length; i++) tokens[i].style.setProperty("--kept", layer < 0 ? together[i] : "0");
  if (layer < 0) return;
  const kept = layers[layer];
  for (let i = 0; i < kept.length; i += 2) tokens[kept[i]].style.setProperty("--kept", String(kept[i + 1] / heads));
}
slider.addEventListener("input", paint);
document.querySelector("form").hidden = false;
// Browsers bring a slider back to where it stood when the page is loaded again.
paint();
`;

/**
 * The page. Whatever comes from the document, the questions or the model is escaped, and a content security policy lets
 * no script run but the page's own.
 * @param title the document's name
 */
export function heatMapPage(map: HeatMap, answers: readonly Answer[], title: string): string {
  const { heads, layers } = map;
  const sums = sumLayers(map);
  const all = heads * layers.length;
  const kept = sums.reduce((tokens, sum) => tokens + (sum > 0 ? 1 : 0), 0);
  const hash = createHash("sha256").update(SCRIPT).digest("base64");
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`;
  const tokens = map.texts.map((text, token) => {
    const sum = sums[token]!;
    const shade = sum > 0 ? ` style="--kept:${Number((sum / all).toFixed(3))}" title="${sum} of ${all} heads"` : "";
    return `<i${shade}>${escapeHtml(text)}</i>`;
  });
  const pairs = answers.map((a) => `<dt>${escapeHtml(a.question)}</dt><dd>${escapeHtml(a.answer)}</dd>\n`);
  return `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}: what was kept</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<dl>
${pairs.join("")}</dl>
<p>Of ${count(sums.length)} tokens ${count(kept)} are kept by at least one of ${all} heads. The brighter a token, the more heads kept it.</p>
<form hidden><label><output>all layers</output> <input type="range" min="0" max="${layers.length}" value="0"></label></form>
<div id="document">${tokens.join("")}</div>
<script type="application/json" id="layers">${JSON.stringify({ heads, layers: layers.map(pairsOf) })}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** The tokens that were kept, each followed by how many heads kept it: a layer keeps few of many. */
function pairsOf(counts: Uint16Array): number[] {
  return [...counts].flatMap((heads, token) => (heads > 0 ? [token, heads] : []));
}

/** Text as HTML shows it. Carriage returns would be read as line feeds, and zero bytes are not allowed at all. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"'\r\0]/g, (character) => (character === "\0" ? "\ufffd" : `&#${character.charCodeAt(0)};`));
}
