/** `definePress` and `defineWrapper`: a method told once, for its check, its place in the registry, its row in the documentation. */
import { checkOptions } from "../options.ts";
import type { Target } from "./budget.ts";
import type {
  LayerEntries,
  LayerSelection,
  ModelEntries,
  ModelPress,
  ModelSelection,
  Press,
  PressNeeds,
  PressSteps,
  ScorePress,
  SelectPress,
  StepsPress,
} from "./press.ts";
import {
  type Checked,
  checkedSettings,
  type Given,
  innerPress,
  required,
  type Setting,
  type Settings,
} from "./settings.ts";
import { checkCacheOnly, type PressOfKind } from "./tools/check-press.ts";
import { scoreWholePasses } from "./tools/course.ts";

/** What is known of a method without making it. */
export interface Definition<Name extends string = string, S extends Settings = Settings, Made extends Press = Press> {
  readonly name: Name;
  /** The method, and where it was published. */
  readonly paper: string;
  readonly settings: S;
  /** Whether it says itself how much it keeps. */
  readonly ownBudget: boolean;
  /** @throws ArgumentError for settings that cannot be */
  make(given: Given<S>): Made;
}

/** Makes a press; what may be left out has its default. @throws ArgumentError for settings that cannot be */
export type Factory<Name extends string, S extends Settings, Made extends Press> = ((
  ...options: OptionsArgument<S>
) => Made) & { readonly definition: Definition<Name, S, Made> };

/** Makes a press over another. @throws ArgumentError for settings or an inner press that cannot be */
export type Wrapper<Name extends string, S extends Settings, Inner extends Press, Made extends Press> = ((
  press: Inner,
  ...options: OptionsArgument<S>
) => Made) & { readonly definition: Definition<Name, S & { readonly press: Setting<Inner, "required"> }, Made> };

type OptionsArgument<S extends Settings> = object extends Given<S> ? [options?: Given<S>] : [options: Given<S>];

/** The options of a factory, such as `OptionsOf<typeof snapKV>`. */
export type OptionsOf<F> = F extends (press: infer _Inner extends Press, ...options: infer O) => Press
  ? NonNullable<O[0]>
  : F extends (...options: infer O) => Press
    ? NonNullable<O[0]>
    : never;

/** What every definition says. */
interface Common<Name extends string, S extends Settings> {
  /** The name in the registry: that of kvpress's class in lower case, without "Press". */
  readonly name: Name;
  /** The method, and where it was published. */
  readonly paper: string;
  /** The settings, each with its default and a comment. */
  readonly options?: S;
  /** What is wrong with settings that do not go together. @throws ArgumentError */
  check?(options: Checked<S>): void;
  /** Set where the method may keep somewhat more than its budget: whole chunks, or shares that are rounded. */
  readonly approximate?: true;
}

interface Method<Name extends string, S extends Settings> extends Common<Name, S> {
  readonly needs?: PressNeeds | ((options: Checked<S>) => PressNeeds | undefined);
  /** Set where the method says itself how much it keeps. */
  readonly ownBudget?: true | ((options: Checked<S>) => boolean | undefined);
  /** Entries that every head must be able to keep. */
  least?(options: Checked<S>): number | undefined;
  /** What a made press is called, where that is not the name. */
  title?(options: Checked<S>): string;
}

interface Score<Options> {
  /** Scores of one layer's entries, for each KV head [length]; higher is kept. */
  score(layer: LayerEntries, options: Options, target: Target): readonly Float32Array[];
  /** Set where the queries of every entry are looked at: chunks of a document are then scored each for itself. */
  readonly wholePass?: true;
}

interface Select<Options> {
  /** What survives of one layer. */
  select(layer: LayerEntries, options: Options, target: Target): LayerSelection;
}

interface SelectModel<Options> {
  /** What survives of all layers. */
  selectModel(entries: ModelEntries, options: Options, target: Target): readonly LayerSelection[];
  /** A course through a document's chunks, where chunks before are remembered. */
  course?(options: Options): ModelSelection | undefined;
}

interface Begin<Options> {
  /** The steps of one session, in which the press goes on compressing. */
  begin(options: Options): PressSteps;
}

/**
 * Defines a method by one of `score`, `select`, `selectModel` and `begin`.
 * @returns what makes the press; its `definition` can be read without making one
 */
export function definePress<Name extends string, S extends Settings = Record<never, never>>(
  definition: Method<Name, S> & Score<Checked<S>>,
): Factory<Name, S, ScorePress>;
export function definePress<Name extends string, S extends Settings = Record<never, never>>(
  definition: Method<Name, S> & Select<Checked<S>>,
): Factory<Name, S, SelectPress>;
export function definePress<Name extends string, S extends Settings = Record<never, never>>(
  definition: Method<Name, S> & SelectModel<Checked<S>>,
): Factory<Name, S, ModelPress>;
export function definePress<Name extends string, S extends Settings = Record<never, never>>(
  definition: Method<Name, S> & Begin<Checked<S>>,
): Factory<Name, S, StepsPress>;
export function definePress(method: AnyMethod): Any {
  const { name, paper, options: settings = {}, ownBudget } = method;
  const make = (given: unknown) => madeOf(method, checkedSettings(name, settings, given));
  return Object.assign((options?: object) => make(options), {
    definition: { name, paper, settings, ownBudget: ownBudget === true, make },
  });
}

interface Wrapping<Name extends string, S extends Settings, Kind extends Press["kind"]> extends Common<Name, S> {
  /** Kinds of press that may be wrapped; only a score when not given. */
  readonly inner?: readonly Kind[];
  /** Set where the inner press may look at keys, values and positions alone. */
  readonly cacheOnly?: true;
  /** What is needed of a pass; what the inner press needs when not given. */
  needs?(inner: PressOfKind<Kind>): PressNeeds | undefined;
  readonly ownBudget?: true;
}

/** A method over another: as `definePress`, with the inner press before the options. */
export function defineWrapper<
  Name extends string,
  S extends Settings = Record<never, never>,
  const Kind extends Press["kind"] = "score",
>(
  definition: Wrapping<Name, S, Kind> & {
    score(layer: LayerEntries, inner: PressOfKind<Kind>, options: Checked<S>, target: Target): readonly Float32Array[];
  },
): Wrapper<Name, S, PressOfKind<Kind>, ScorePress>;
export function defineWrapper<
  Name extends string,
  S extends Settings = Record<never, never>,
  const Kind extends Press["kind"] = "score",
>(
  definition: Wrapping<Name, S, Kind> & {
    select(layer: LayerEntries, inner: PressOfKind<Kind>, options: Checked<S>, target: Target): LayerSelection;
  },
): Wrapper<Name, S, PressOfKind<Kind>, SelectPress>;
export function defineWrapper<
  Name extends string,
  S extends Settings = Record<never, never>,
  const Kind extends Press["kind"] = "score",
>(
  definition: Wrapping<Name, S, Kind> & { begin(inner: PressOfKind<Kind>, options: Checked<S>): PressSteps },
): Wrapper<Name, S, PressOfKind<Kind>, StepsPress>;
export function defineWrapper(wrapping: AnyWrapping): Any {
  const { name, inner: kinds = ["score"], options = {}, cacheOnly, needs, score, select, begin, ...rest } = wrapping;
  const settings = { press: required(() => innerPress(...kinds)), ...options };
  const method = (inner: Press): AnyMethod => ({
    name,
    ...rest,
    needs: () => (needs ? needs(inner) : inner.needs),
    least: () => inner.least,
    title: () => `${name} of ${inner.name}`,
    ...(score && { score: (layer: LayerEntries, own: Any, target: Target) => score(layer, inner, own, target) }),
    ...(select && { select: (layer: LayerEntries, own: Any, target: Target) => select(layer, inner, own, target) }),
    ...(begin && { begin: (own: Any) => begin(inner, own) }),
  });
  const make = (given: unknown) => {
    const checked = checkedSettings(name, settings, given) as Record<string, unknown> & { press: Press };
    if (cacheOnly) checkCacheOnly(checked.press, `press of ${name}`);
    return madeOf(method(checked.press), checked);
  };
  return Object.assign(
    (inner: Press, given: object = {}) => {
      checkOptions(given, Object.keys(options), name);
      return make({ ...given, press: inner });
    },
    { definition: { name, paper: wrapping.paper, settings, ownBudget: wrapping.ownBudget === true, make } },
  );
}

// biome-ignore lint/suspicious/noExplicitAny: what each definition's own types have bound together
type Any = any;
type AnyMethod = Method<string, Any> &
  Partial<Record<"score" | "select" | "selectModel" | "course" | "begin", Any>> & { wholePass?: true };
type AnyWrapping = Wrapping<string, Any, Any> & {
  score?(layer: LayerEntries, inner: Press, options: Any, target: Target): readonly Float32Array[];
  select?(layer: LayerEntries, inner: Press, options: Any, target: Target): LayerSelection;
  begin?(inner: Press, options: Any): PressSteps;
};

/** The press that a definition and checked settings come to. */
function madeOf(method: AnyMethod, options: Any): Press {
  const { score, select, selectModel, begin, course, needs, ownBudget } = method;
  method.check?.(options);
  const own = typeof ownBudget === "function" ? ownBudget(options) : ownBudget;
  const common = {
    name: method.title?.(options) ?? method.name,
    needs: typeof needs === "function" ? needs(options) : needs,
    ownBudget: own,
    least: method.least?.(options),
  };
  const keepsBudget = !own && !method.approximate;
  if (score) {
    const press: ScorePress = { kind: "score", ...common, score: (layer, target) => score(layer, options, target) };
    return method.wholePass ? scoreWholePasses(press) : press;
  }
  if (select) {
    return { kind: "select", ...common, keepsBudget, select: (layer, target) => select(layer, options, target) };
  }
  if (begin) return { kind: "steps", ...common, begin: () => begin(options) };
  return {
    kind: "model",
    ...common,
    keepsBudget,
    select: (entries, target) => selectModel!(entries, options, target),
    ...(course && { begin: () => course(options) }),
  };
}
