/** How a caller says where the Hub is and who asks. */
import type { OnDownload } from "./open.ts";

export const DEFAULT_ENDPOINT = "https://huggingface.co";

/** Where the Hub is, where that should not be what the environment says. */
export interface HubOptions {
  /** HF_ENDPOINT by default, and huggingface.co without it. */
  readonly endpoint?: string | undefined;
  /** For models that are not open to everybody; HF_TOKEN by default. */
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onDownload?: OnDownload | undefined;
}
