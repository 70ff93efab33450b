/** The text of PDF and HTML files, by packages that are installed where they are wanted. */
import { SiskinError } from "../errors.ts";

/** A PDF's text, page after page. @throws SiskinError where it has none, or the package for it is missing */
export async function pdf(bytes: Uint8Array, name: string): Promise<string> {
  const { extractText, getDocumentProxy } = await optional(() => import("unpdf"), "unpdf", `${name} is a PDF`);
  // The library takes the memory away from what it is given.
  const text = await getDocumentProxy(bytes.slice(), { verbosity: 0 })
    .then(async (document) => (await extractText(document, { mergePages: true })).text)
    .catch((error: Error) => {
      throw new SiskinError(`${name} is a PDF that cannot be read: ${error.message}`);
    });
  if (text.trim() === "") throw new SiskinError(`${name} is a PDF without text in it, as scanned pages are`);
  return text;
}

/** A page's text: headings, paragraphs, lists and tables, without links, pictures and scripts. */
export async function html(page: string, name: string): Promise<string> {
  const { convert } = await optional(() => import("html-to-text"), "html-to-text", `${name} is an HTML page`);
  const text = convert(page, {
    wordwrap: false,
    selectors: [
      { selector: "a", options: { ignoreHref: true } },
      { selector: "img", format: "skip" },
      { selector: "table", format: "dataTable" },
      ...["h1", "h2", "h3", "h4", "h5", "h6"].map((selector) => ({ selector, options: { uppercase: false } })),
    ],
  });
  // A no-break space is one token more, and no word of any question.
  return text.replaceAll("\u00a0", " ");
}

/** @throws SiskinError that says which package to install */
async function optional<T>(load: () => Promise<T>, packageName: string, what: string): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new SiskinError(`${what}; reading it takes the package ${packageName}: npm install ${packageName}`);
  }
}
