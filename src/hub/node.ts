/** Models of the Hub on Node, Deno and Bun: fetched into the usual cache, and read from there. */
import type { FolderSet } from "../formats/file-set.ts";
import { DEFAULT_ENDPOINT, type HubOptions } from "./access.ts";
import { diskStore } from "./disk-store.ts";
import { cacheFolder, givenEndpoint, givenToken, isOffline } from "./environment.ts";
import type { HubName } from "./name.ts";
import { openHub } from "./open.ts";

/** @throws as `openHub` */
export async function openModelOnDisk(name: HubName, options: HubOptions): Promise<FolderSet> {
  const { signal, onDownload } = options;
  const endpoint = (options.endpoint ?? givenEndpoint() ?? DEFAULT_ENDPOINT).replace(/\/+$/, "");
  const access = { endpoint, token: options.token ?? (await givenToken()), signal };
  return openHub(name, access, diskStore(cacheFolder()), { offline: isOffline(), onDownload });
}
