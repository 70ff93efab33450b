/** Chat templates in files of their own, where transformers looks for them. */
import { type FileSet, type FolderSet, readText } from "../formats/file-set.ts";

const folderName = "additional_chat_templates";

/** What models have there, for places whose files cannot be listed. */
const commonNames = ["tool_use.jinja", "rag.jinja"];

/**
 * The templates in chat_template.jinja ("default") and additional_chat_templates/NAME.jinja by name; undefined when there are none.
 *
 * @throws UnsupportedError when the medium fails
 */
export async function readChatTemplates(files: FolderSet): Promise<ReadonlyMap<string, string> | undefined> {
  const read = async (from: FileSet, file: string, name: string) => {
    const text = await readText(from, file);
    return text === undefined || isWebPage(text) ? [] : [[name, text] as const];
  };
  const inside = await files.folder(folderName);
  const others = [...((await inside.names()) ?? commonNames)].filter((file) => file.endsWith(".jinja")).sort();
  const found = await Promise.all([
    read(files, "chat_template.jinja", "default"),
    ...others.map((file) => read(inside, file, file.slice(0, -".jinja".length))),
  ]);
  const templates = new Map(found.flat());
  return templates.size > 0 ? templates : undefined;
}

/** Whether a text is a page of HTML, which some servers give for files that they have not. */
export const isWebPage = (text: string): boolean => /^\s*<(?:!doctype\s+html|html)\b/i.test(text.slice(0, 1000));
