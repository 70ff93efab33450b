/** Which files of a repository make the model that is asked for. */
import { ArgumentError, FormatError } from "../errors.ts";
import { indexFile, singleFile } from "../formats/safetensors.ts";
import type { HubFile, HubListing } from "./client.ts";
import type { HubName } from "./name.ts";

/** Beside the weights: what the loader looks for in a folder. */
const companions =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map)\.json$|^(additional_chat_templates\/)?[^/]+\.jinja$/;

/** How the parts of a GGUF are called. */
const partPattern = /-(\d{5})-of-\d{5}\.gguf$/;

/** Files beside those of a model that have its ending. */
const noModel = /(^|\/)mmproj[^/]*$|[.-]imatrix\.gguf$/i;

/** What has to be fetched: files whose names the loader knows, and the files of the weights. */
export interface Choice {
  readonly companions: readonly HubFile[];
  /** Of a model in shards its index, which names them. */
  readonly index: HubFile | undefined;
  /** Absent where the index names them. */
  readonly weights: readonly HubFile[];
}

/**
 * The GGUF of the variant that the name says, of a model in parts all of them; without a variant the safetensors, or else the only GGUF.
 *
 * @throws ArgumentError when several GGUFs could be meant, or none is of that variant; FormatError when there is no model
 */
export function chooseFiles({ files }: HubListing, name: HubName): Choice {
  const named = (path: string) => files.filter((file) => file.path === path);
  const [single] = named(singleFile);
  const [index] = named(indexFile);
  if (name.variant === undefined && (single || index)) {
    const beside = files.filter(({ path }) => companions.test(path));
    return { companions: beside, index: single ? undefined : index, weights: single ? [single] : [] };
  }
  const models = files.filter(({ path }) => path.endsWith(".gguf") && !noModel.test(path));
  // Each model by its first part.
  const firsts = models.filter(({ path }) => (partPattern.exec(path)?.[1] ?? "00001") === "00001");
  const paths = (chosen: readonly HubFile[]) => chosen.map(({ path }) => path).join(", ");
  if (firsts.length === 0) {
    const ggufs = name.variant === undefined ? "" : ` GGUF file, and so none of ${name.variant}`;
    const other = `model that can be read: neither ${singleFile} nor a GGUF file, only ${paths(files) || "nothing"}`;
    throw new FormatError(name.text, `has no ${ggufs.trim() || other}`);
  }
  const meant = name.variant === undefined ? firsts : firsts.filter(({ path }) => isOf(path, name.variant!));
  const [first] = meant;
  if (meant.length === 1 && first) return { companions: [], index: undefined, weights: partsOf(first, models) };
  if (meant.length === 0) {
    throw new ArgumentError(`${name.text}: has no GGUF file of ${name.variant}; it has ${paths(firsts)}`);
  }
  throw new ArgumentError(
    `${name.text}: has several GGUF files; say which, as in ${name.repository}:Q4_K_M or ${name.repository}:FILE.gguf: ${paths(meant)}`,
  );
}

/** Whether a file is called so, or has this quantisation in its name or its folder's. */
function isOf(path: string, variant: string): boolean {
  if (path === variant || path.endsWith(`/${variant}`)) return true;
  const quantisation = variant.replace(/[^\w]/g, "\\$&");
  return new RegExp(`(^|[-./])${quantisation}([-./]|$)`, "i").test(path);
}

function partsOf(first: HubFile, models: readonly HubFile[]): HubFile[] {
  if (!partPattern.test(first.path)) return [first];
  const start = first.path.replace(partPattern, "");
  const ending = first.path.slice(-"-of-00000.gguf".length);
  const ofModel = ({ path }: HubFile) => partPattern.test(path) && path.replace(partPattern, "") === start;
  return models
    .filter((file) => ofModel(file) && file.path.endsWith(ending))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
