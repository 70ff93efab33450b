/** Counts what a server does, in the text that Prometheus reads. */

/** What is looked up when somebody asks. */
interface Gauges {
  readonly running: number;
  readonly waiting: number;
  readonly prefixBytes: number;
  readonly memoryBytes: number;
}

/** Upper bounds of the seconds that a request took. */
const SECONDS = [0.1, 0.3, 1, 3, 10, 30, 100];

/** Counters of one server. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #buckets = SECONDS.map(() => 0);
  #seconds = 0;
  #count = 0;
  readonly #tokens = { prompt: 0, cached: 0, answer: 0 };

  /** @param path one of the server's, or "other" */
  request(path: string, status: number, seconds: number): void {
    const key = `path="${path}",status="${status}"`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    for (const [index, bound] of SECONDS.entries()) if (seconds <= bound) this.#buckets[index]!++;
    this.#seconds += seconds;
    this.#count++;
  }

  tokens(prompt: number, cached: number, answer: number): void {
    this.#tokens.prompt += prompt;
    this.#tokens.cached += cached;
    this.#tokens.answer += answer;
  }

  text({ running, waiting, prefixBytes, memoryBytes }: Gauges): string {
    const lines: string[] = [];
    const add = (name: string, type: string, help: string, values: readonly (readonly [string, number])[]) => {
      lines.push(`# HELP siskin_${name} ${help}`, `# TYPE siskin_${name} ${type}`);
      for (const [labels, value] of values) lines.push(`siskin_${name}${labels} ${value}`);
    };
    const requests = [...this.#requests].map(([labels, value]) => [`{${labels}}`, value] as const);
    add("requests_total", "counter", "Requests by path and status.", requests);
    add("request_seconds", "histogram", "How long requests took, to the end of the answer.", [
      ...SECONDS.map((bound, index) => [`_bucket{le="${bound}"}`, this.#buckets[index]!] as const),
      ['_bucket{le="+Inf"}', this.#count],
      ["_sum", this.#seconds],
      ["_count", this.#count],
    ]);
    add("tokens_total", "counter", "Tokens of prompts, those of them found in a cache, and of answers.", [
      ['{kind="prompt"}', this.#tokens.prompt],
      ['{kind="cached"}', this.#tokens.cached],
      ['{kind="answer"}', this.#tokens.answer],
    ]);
    add("requests_running", "gauge", "Requests that are being answered.", [["", running]]);
    add("requests_waiting", "gauge", "Requests that wait.", [["", waiting]]);
    add("prefix_bytes", "gauge", "Bytes of the conversations that are kept.", [["", prefixBytes]]);
    add("memory_bytes", "gauge", "Bytes that the model's memory holds.", [["", memoryBytes]]);
    return `${lines.join("\n")}\n`;
  }
}
