/** Models of the Hub in browsers, kept in Cache storage where a page has it, and on the edge, where nothing is kept. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { FolderSet } from "../formats/file-set.ts";
import { DEFAULT_ENDPOINT, type HubOptions } from "./access.ts";
import { directStore } from "./direct-store.ts";
import type { Digest } from "./download.ts";
import type { HubName } from "./name.ts";
import { openHub } from "./open.ts";
import { webStore } from "./web-store.ts";

/** @param storage undefined where nothing is to be kept @throws as `openHub` */
export async function openModelFromWeb(
  name: HubName,
  options: HubOptions,
  storage: CacheStorage | undefined,
): Promise<FolderSet> {
  const { endpoint = DEFAULT_ENDPOINT, token, signal, onDownload } = options;
  const access = { endpoint: endpoint.replace(/\/+$/, ""), token, signal };
  // Pages without storage, private ones among them, may refuse it.
  const cache = await storage?.open("siskin").catch(() => undefined);
  return openHub(name, access, cache ? webStore(cache, access.endpoint, createDigest) : directStore, { onDownload });
}

/** Web Crypto's takes a file as a whole only. */
function createDigest(): Digest {
  const hash = sha256.create();
  return {
    update: (bytes) => hash.update(bytes),
    hex: () => Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}
