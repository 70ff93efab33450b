/** No store at all: files come from the Hub as they are read, where a runtime has no place to keep them. */
import { fetchSource } from "../formats/fetch-source.ts";
import { fetchOptions, fileUrl } from "./client.ts";
import type { HubStore } from "./open.ts";

export const directStore: HubStore = {
  keeps: false,
  cached: async () => undefined,
  remember: async () => {},
  holds: async () => true,
  fetch: async () => {},
  open: (access, listing, file) => fetchSource(fileUrl(access, listing, file.path), fetchOptions(access)),
};
