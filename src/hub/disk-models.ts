/** What is in the cache on disk: the models, what they take, and their removal. */
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { UnsupportedError } from "../errors.ts";
import { repositoryFolder } from "./disk-store.ts";

/** A model in the cache. */
export interface CachedModel {
  /** "org/name" */
  readonly name: string;
  /** Branches and tags that are there, and commits that none leads to. */
  readonly revisions: readonly string[];
  /** Bytes of its files, those half downloaded included. */
  readonly byteLength: number;
  /** Whether something of it is downloaded in part. */
  readonly incomplete: boolean;
  readonly folder: string;
}

/** The models in a cache, by name; none where there is no cache. */
export async function cachedModels(root: string): Promise<CachedModel[]> {
  const names = await readdir(root).catch((): string[] => []);
  const found = names.sort().map(async (entry): Promise<CachedModel[]> => {
    const match = /^models--(.+?)--(.+)$/.exec(entry);
    if (!match) return [];
    const folder = join(root, entry);
    const blobs = await readdir(join(folder, "blobs")).catch((): string[] => []);
    const sizes = await Promise.all(
      blobs.map(async (blob) => (await stat(join(folder, "blobs", blob)).catch(() => undefined))?.size ?? 0),
    );
    return [
      {
        name: `${match[1]}/${match[2]}`,
        revisions: await revisionsOf(folder),
        byteLength: sizes.reduce((sum, size) => sum + size, 0),
        incomplete: blobs.some((blob) => blob.endsWith(".incomplete")),
        folder,
      },
    ];
  });
  return (await Promise.all(found)).flat();
}

async function revisionsOf(folder: string): Promise<string[]> {
  const commits = await readdir(join(folder, "snapshots")).catch((): string[] => []);
  const entries = await readdir(join(folder, "refs"), { recursive: true }).catch((): string[] => []);
  const refs: string[] = [];
  const named = new Set<string>();
  for (const ref of entries.sort()) {
    const commit = await readFile(join(folder, "refs", ref), "utf8").catch(() => undefined);
    if (commit === undefined || !commits.includes(commit.trim())) continue;
    refs.push(ref);
    named.add(commit.trim());
  }
  return [...refs, ...commits.filter((commit) => !named.has(commit))];
}

/**
 * Removes a model with all its revisions.
 *
 * @returns bytes that it took
 * @throws UnsupportedError when it is not in the cache, or cannot be removed
 */
export async function removeModel(root: string, repository: string): Promise<number> {
  const model = (await cachedModels(root)).find(({ name }) => name === repository);
  if (!model) throw new UnsupportedError(`${repository}: is not in the cache, ${root}`);
  await rm(repositoryFolder(root, repository), { recursive: true }).catch((cause) => {
    throw new UnsupportedError(`${repository}: cannot be removed: ${cause.message}`, { cause });
  });
  return model.byteLength;
}
