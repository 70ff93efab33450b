/** The pre-tokenizers that a GGUF can name, each splitting text just as llama.cpp does. */

import type { Grouping } from "./pattern/digit-groups.ts";
import { namedSet, range } from "./pattern/sets.ts";

/** What a name in tokenizer.ggml.pre stands for. */
interface GgufPreTokenizer {
  /** Patterns that split one after another, a piece of every match and of every text between matches. */
  readonly patterns: readonly (string | Grouping)[];
  /** Pieces that are entries are taken as one whatever the merges: all, or those of line feeds alone. */
  readonly ignoreMerges?: "all" | "line-feeds";
  /** Whether the vocabulary is over characters, with ▁ for a space, and not over bytes. */
  readonly overCharacters?: boolean;
}

/*
 * The patterns are those of llama.cpp's llama-vocab.cpp (release 0.5.0), not of the models' own tokenizer.json, where the two differ:
 * files in this format were made to be read by it. Where its expressions run on a text in which every character stands for its
 * category, Lu and its like are all letters; where they name characters, white space beyond ASCII is white space and nothing else.
 */
const contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const spaces = "\\s+(?!\\S)|\\s+";
const lines = `\\s*[\\r\\n]+|${spaces}`;
const symbols = " ?[^\\s\\p{L}\\p{N}]+";
const before = "[^\\r\\n\\p{L}\\p{N}]?";

const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|${symbols}|${spaces}`;
const llama3Like = (numbers: string) => `${contractions}|${before}\\p{L}+|${numbers}|${symbols}[\\r\\n]*|${lines}`;
const llama3 = llama3Like("\\p{N}{1,3}");
const qwen2 = llama3Like("\\p{N}");

/** Words that begin with what is no small letter and go on with what is no capital. */
const casedWords = (letters: string, ending: string) => {
  const [upper, lower] = [`[${letters}&&[^a-z]]`, `[${letters}&&[^A-Z]]`];
  return `${before}${upper}*${lower}+${ending}|${before}${upper}+${lower}*${ending}`;
};
const gpt4oLike = (letters: string, ending: string, numbers: string) =>
  `${casedWords(letters, ending)}|${numbers}|${symbols}[\\r\\n/]*|${lines}`;

const asciiSymbols = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]";
const deepseekWords = (end: string) =>
  `${asciiSymbols}[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+${end}|${spaces}`;
const deepseek3: GgufPreTokenizer = {
  patterns: ["\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{30ff}]+", deepseekWords("[\\r\\n]*|\\s*[\\r\\n]+")],
};
/** Chinese, Japanese and Korean as the first DeepSeek models had them. */
const deepseekAsian = "[[\\x{800}-\\x{9fa5}\\x{ac00}-\\x{d7ff}]&&[^\\s]]+";
const deepseekLetters = [
  "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}\\x{1c4}-\\x{293}",
  "\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}",
  "\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}",
  "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}",
  "\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}",
  "\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}",
  "\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}",
  "\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}\\x{210a}-\\x{2113}\\x{2115}",
  "\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}",
  "\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}",
  "\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}",
  "\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}",
  "\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}",
  "\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}",
].join("");

const han =
  "\\x{4e00}-\\x{9fff}\\x{3400}-\\x{4dbf}\\x{20000}-\\x{2a6df}\\x{2a700}-\\x{2ebef}\\x{f900}-\\x{faff}\\x{2f800}-\\x{2fa1f}";
const afmoeAsian =
  "[\\x{4e00}-\\x{9fff}\\x{3400}-\\x{4dbf}\\x{8c48}-\\x{faff}\\x{3040}-\\x{30ff}\\x{ff65}-\\x{ff9f}\\x{2f00}-\\x{2fdf}" +
  "\\x{e40}-\\x{eff}\\x{1780}-\\x{17ff}\\x{1000}-\\x{109f}\\x{aa60}-\\x{aa7f}\\x{a9e0}-\\x{a9ff}\\x{ac00}-\\x{d7af}\\x{1100}-\\x{11ff}]+";
const groupsWithTextBefore: Grouping = { digits: namedSet("N")!.set, at: "after" };
const asciiGroups: Grouping = { digits: range(48, 57), at: "before" };
const bloom = " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c})]+";
const eitherLines = "[^\\n]+|[\\n]+";
const jais2Spaces = `${[512, 256, 128, 64, 32, 16, 8, 4, "1,2"].map((count) => `\\s{${count}}(?!\\S)`).join("|")}|\\s{1}`;

const all = "all";
const gpt2Alone: GgufPreTokenizer = { patterns: [gpt2] };
const numeralsThenGpt2: GgufPreTokenizer = { patterns: ["\\p{N}", gpt2] };
const llama3Alone: GgufPreTokenizer = { patterns: [llama3] };
const qwen2Alone: GgufPreTokenizer = { patterns: [qwen2] };
const gpt4o: GgufPreTokenizer = { patterns: [gpt4oLike("\\p{L}", `${contractions}?`, "\\p{N}{1,3}")] };
const llama3Whole: GgufPreTokenizer = { patterns: [llama3], ignoreMerges: all };
const bailing: GgufPreTokenizer = {
  patterns: [
    `'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|${before}\\p{L}+|\\p{N}|${symbols}[\\r\\n]*|\\s*[\\r\\n]|${spaces}`,
  ],
};
const tinyAya: GgufPreTokenizer = {
  patterns: [
    groupsWithTextBefore,
    `${before}[\\p{L}\\p{M}]+${contractions}?|\\p{N}{1,3}|${symbols}[\\r\\n/]*|${lines}`,
  ],
};
const gemma4: GgufPreTokenizer = { patterns: [eitherLines], ignoreMerges: "line-feeds", overCharacters: true };

/** By name; "default" stands for a file that names none, too. */
export const ggufPreTokenizers: ReadonlyMap<string, GgufPreTokenizer> = new Map<string, GgufPreTokenizer>([
  ["default", { patterns: ["[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2, "\\p{N}+", "[0-9][0-9][0-9]"] }],
  ["falcon", { patterns: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2, "[0-9][0-9][0-9]"] }],
  ...named(
    "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code roberta-bpe mpt olmo",
    gpt2Alone,
  ),
  ...named("jais exaone4 trillion granite-docling", gpt2Alone),
  ...named("starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", numeralsThenGpt2),
  ...named("llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", llama3Whole),
  ...named("dbrx smaug-bpe glm4 chatglm-bpe", llama3Alone),
  ...named("qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2", qwen2Alone),
  [
    "qwen35",
    { patterns: [`${contractions}|${before}[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${lines}`] },
  ],
  ["ufakzeka", { patterns: [`${before}\\p{L}+|\\p{N}|${symbols}[\\r\\n]*|${lines}`] }],
  ["laguna", { patterns: [eitherLines, qwen2] }],
  ["minicpm5", { patterns: ["\\p{N}{1,3}", llama3Like("\\p{N}+")], ignoreMerges: all }],
  [
    "jais-2",
    { patterns: [`${contractions}|${before}\\p{L}+|\\p{N}{1,3}|${symbols}[\\r\\n]*|\\s*[\\r\\n]+|${jais2Spaces}`] },
  ],
  ["seed-coder", { patterns: [`${contractions}|${before}\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${lines}`] }],
  [
    "exaone-moe",
    {
      patterns: [
        `${contractions}|${before}(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|${symbols}[\\r\\n/]?|\\s*[\\r\\n]|${spaces}`,
      ],
    },
  ],
  ...named("bailingmoe bailingmoe2 llada-moe", bailing),
  ["tekken", { patterns: [gpt4oLike("\\p{L}", "", "\\p{N}")], ignoreMerges: all }],
  ...named("gpt-4o llama4 kanana2 talkie minimax-m2", gpt4o),
  [
    "granite-embed-multi-97m",
    { patterns: [gpt4oLike("\\p{L}\\p{M}", `${contractions}?`, "\\p{N}{1,3}")], ignoreMerges: all },
  ],
  ...named("tiny_aya cohere2moe", tinyAya),
  [
    "kimi-k2",
    {
      patterns: [`[${han}]+|${before}[\\p{L}&&[^${han}]]+${contractions}?|\\p{N}{1,3}|${symbols}[\\r\\n]*|${lines}`],
    },
  ],
  [
    "deepseek-llm",
    {
      patterns: [
        "[\\r\\n]",
        `\\s?[${deepseekLetters}]+`,
        "\\s?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3001}\\x{3002}]+",
        "\\s+\\z",
        deepseekAsian,
        "\\p{N}+",
      ],
    },
  ],
  ["deepseek-coder", { patterns: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", deepseekAsian, "\\p{N}"] }],
  ...named("deepseek-v3 hunyuan-dense joyai-llm hy_v4", deepseek3),
  ["spark2_5", { patterns: [...deepseek3.patterns.slice(0, 2), deepseekWords("|[\\r\\n]"), "\\p{N}"] }],
  ["afmoe", { patterns: [groupsWithTextBefore, afmoeAsian, deepseek3.patterns[2]!] }],
  [
    "youtu",
    {
      patterns: [
        "[\\x{ac00}-\\x{d7a3}\\x{3131}-\\x{318e}]+|" +
          "[\\x{ff01}\\x{2026}\\x{201c}\\x{201d}\\x{2018}\\x{2019}\\x{2014}\\x{ff1a}\\x{ff1b}\\x{ff0c}\\x{3001}-\\x{303f}\\x{fe30}-\\x{fe4f}]+|" +
          "[\\x{3105}-\\x{312f}]+|[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{30ff}]+",
        `${before}[\\p{L}\\p{M}]+${contractions}?|\\p{N}|${symbols}[\\r\\n/]*|${lines}`,
      ],
      ignoreMerges: all,
    },
  ],
  ...named("poro-chat bloom gpt3-finnish", { patterns: [bloom] }),
  ["viking", { patterns: [bloom, "\\p{N}"] }],
  [
    "chameleon",
    {
      patterns: [
        "<sentinel:[0-9]+>",
        "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
        "([\\t\\n]|    |  )",
        "\\p{N}",
        "[\\p{P}!-/:-@\\[-`{-~]",
        gpt2,
      ],
    },
  ],
  ["superbpe", { patterns: ["\\p{N}+", asciiGroups] }],
  ...named("gemma4 granite-embed-multi-311m", gemma4),
  ["sarvam-moe", { patterns: [eitherLines], overCharacters: true }],
]);

function named(names: string, preTokenizer: GgufPreTokenizer): [string, GgufPreTokenizer][] {
  return names.split(" ").map((name) => [name, preTokenizer]);
}
