/** The name of a model on the Hugging Face Hub: org/name, perhaps with :quantisation and @revision. */

/** A model on the Hub. */
export interface HubName {
  /** As it was given. */
  readonly text: string;
  /** "org/name" */
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** Which of its GGUF files: a quantisation ("Q4_K_M"), or the name of the file itself. */
  readonly variant: string | undefined;
}

const part = "[A-Za-z0-9][A-Za-z0-9._-]*";
const pattern = new RegExp(`^(${part}/${part})(?::([^:@]+))?(?:@([^:@]+))?(?::([^:@]+))?$`);

/** Undefined for a text that cannot be such a name. The Hub itself allows neither "--" nor ".." in one. */
export function parseHubName(text: string): HubName | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, repository, before, revision, behind] = match as unknown as [string, string, ...(string | undefined)[]];
  if (before !== undefined && behind !== undefined) return undefined;
  if (/--|\.\.|[.-]$/.test(repository) || (repository === text && text.endsWith(".gguf"))) return undefined;
  if (revision !== undefined && !/^(?!\/)(?!.*(\.\.|\/\/))[\w./+-]+(?<!\/)$/.test(revision)) return undefined;
  return { text, repository, revision: revision ?? "main", variant: before ?? behind };
}
