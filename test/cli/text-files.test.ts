/** Text out of files in their encodings, out of PDF and HTML, and what is no text. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { streamedText, textOf } from "../../src/cli/text-files.ts";
import { SiskinError } from "../../src/errors.ts";

const test = suite("text files");
const words = "The café at Łódź – “open”.\nПривет, 世界.\n";
const bytes = (text: string) => new TextEncoder().encode(text);
const latin = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));
const swapped = (text: string) => Uint8Array.from(Buffer.from(text, "utf16le").swap16());
const wide = (text: string) => Uint8Array.from(Buffer.from(text, "utf16le"));
const read = async (content: Uint8Array, name = "a.txt") => (await textOf(content, name)).text;
const refused = async (content: Uint8Array, message: RegExp) =>
  textOf(content, "a.txt").then(
    () => assert.unreachable(`${message}`),
    (error) => assert.ok(error instanceof SiskinError && message.test(error.message), error.message),
  );

async function streamed(content: Uint8Array, size: number): Promise<string> {
  const pieces = async function* () {
    for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
  };
  let text = "";
  for await (const piece of streamedText(pieces(), "standard input")) text += piece;
  return text;
}

test("UTF-8 and UTF-16, with and without a mark, in one go and in pieces that cut characters and line ends", async () => {
  const english = "A plain line of English words.\nAnd another one.\n".repeat(80);
  for (const text of [words, english]) {
    for (const lines of [text, text.replaceAll("\n", "\r\n"), text.replaceAll("\n", "\r")]) {
      const forms = [bytes(lines), bytes(`\ufeff${lines}`), wide(`\ufeff${lines}`), swapped(`\ufeff${lines}`)];
      if (text === english) forms.push(wide(lines), swapped(lines));
      for (const [index, form] of forms.entries()) {
        assert.is(await read(form), text, `form ${index}`);
        for (const size of [1, 7, 1024, 100_000]) assert.is(await streamed(form, size), text, `form ${index}, ${size}`);
      }
    }
  }
});

test("other encodings are told from the whole file, and said", async () => {
  const text = "Le café était fermé, et la fenêtre aussi; près de là, un garçon rêvait à l'été passé.\n".repeat(8);
  const { text: found, note } = await textOf(latin(text), "a.txt");
  assert.is(found, text);
  assert.match(note!, /^a\.txt is not UTF-8; read as (ISO-8859-1|windows-1252)$/);
  assert.is((await textOf(bytes(text), "a.txt")).note, undefined);
  // Shift_JIS: "これはテストです。" many times.
  const japanese = Uint8Array.from(Buffer.from("82b182ea82cd83658358836782c582b78142".repeat(20), "hex"));
  assert.is(await read(japanese), "これはテストです。".repeat(20));
  // A stream has no whole: what stops being UTF-8 is refused.
  await streamed(latin(`${"x".repeat(2000)}é and more`), 500).then(
    () => assert.unreachable(),
    (error) => assert.match(error.message, /standard input is not UTF-8 throughout/),
  );
});

test("what is no text is refused by its kind", async () => {
  await refused(latin("\x7fELF\x02\x01\x01\0\0"), /a\.txt is no text but binary data \(byte 7 is 0\)/);
  await refused(latin("\x89PNG\r\n\x1a\n\0"), /a picture/);
  await refused(latin("PK\x03\x04\x14\0"), /ZIP archive.*\.docx/);
  await refused(latin("\x1f\x8b\x08\0"), /gzip/);
  await refused(latin("\xff\xfe\0\0a\0\0\0"), /UTF-32/);
  await refused(
    Uint8Array.from({ length: 4000 }, (_, index) => ((index * 7919) % 255) + 1),
    /control characters/,
  );
  // A log with colours and tabs is text, and so is nothing.
  assert.is(await read(bytes("\x1b[31mERROR\x1b[0m\tdisk\x07\n")), "\x1b[31mERROR\x1b[0m\tdisk\x07\n");
  assert.is(await read(bytes("")), "");
});

test("HTML: its words, by its name or its first ones", async () => {
  const page =
    "<!-- a --><!DOCTYPE html><html><head><title>T</title><style>p{}</style><script>let x</script></head>" +
    "<body><h1>Mill</h1><p>Built by <a href='x'>Ada&nbsp;Crane</a> &amp; sons.</p><ul><li>one<li>two</ul><img src=a></body></html>";
  for (const text of [await read(bytes(page)), await streamed(bytes(page), 11)]) {
    assert.match(text, /^Mill\n+Built by Ada Crane & sons\.\n+ \* one\n \* two$/);
  }
  assert.is(await read(bytes("<p>One <b>two</b></p>"), "b.HTM"), "One two");
  assert.is(await read(bytes("<p> is a tag.")), "<p> is a tag.");
});

/** A PDF of one page with these words, or with none. */
function pdf(text: string): Uint8Array {
  const stream = text === "" ? "" : `BT /F1 24 Tf 72 700 Td (${text}) Tj ET`;
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
  ];
  let file = "%PDF-1.4\n";
  const places = objects.map((object, index) => {
    const place = file.length;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(place).padStart(10, "0")} 00000 n \n`;
  });
  const table = file.length;
  file += `xref\n0 6\n0000000000 65535 f \n${places.join("")}trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
  return latin(file);
}

test("PDF: its words; without any it is refused, and so is a damaged one", async () => {
  assert.is((await read(pdf("The mill was built by Ada Crane."))).trim(), "The mill was built by Ada Crane.");
  assert.is((await streamed(pdf("The mill."), 100)).trim(), "The mill.");
  await refused(pdf(""), /a\.txt is a PDF without text/);
  await refused(latin("%PDF-1.4 and nothing"), /a\.txt is a PDF that cannot be read/);
});

test("where the packages are not installed they are named", () => {
  const folder = mkdtempSync(join(tmpdir(), "siskin-bare-"));
  try {
    cpSync("dist", join(folder, "dist"), { recursive: true });
    cpSync("package.json", join(folder, "package.json"));
    mkdirSync(join(folder, "node_modules"));
    cpSync("node_modules/commander", join(folder, "node_modules/commander"), { recursive: true });
    writeFileSync(join(folder, "a.pdf"), pdf("x"));
    writeFileSync(join(folder, "a.html"), "<html><p>x</html>");
    for (const [file, name] of [
      ["a.pdf", "unpdf"],
      ["a.html", "html-to-text"],
    ] as const) {
      const words = [join(folder, "dist/cli.js"), "ask", "Who?", join(folder, file)];
      const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8", input: "" });
      assert.is(status, 1);
      assert.match(stderr, new RegExp(`^siskin: [^\\n]*${file}[^\\n]*npm install ${name}\\n$`));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
