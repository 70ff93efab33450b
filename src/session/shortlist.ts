/** Which tokens may be drawn, and with what weights: temperature, top-k, top-p, min-p and typical, in the order of transformers. */
import { exponential, logarithm } from "./portable-math.ts";

/** How far a distribution is flattened and cut. */
export interface ShortlistSettings {
  /** Above 0. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly typicalP: number;
}

/** A token that may be drawn. */
export interface Candidate {
  readonly token: number;
  /** Its logit divided by the temperature, less the highest one's. */
  readonly scaled: number;
  /** Its probability relative to the likeliest token's. */
  readonly weight: number;
}

/** How far below the likeliest token candidates are looked for, in nats: nearly always the nearest suffice, which spares sorting a vocabulary. */
const REACHES = [12, 36, Number.POSITIVE_INFINITY] as const;

/**
 * @param logits [vocabulary]; those of -infinity are out
 * @returns the tokens that may be drawn, the likeliest first unless nothing cuts; none where every logit is -infinity
 */
export function shortlist(logits: Float32Array, settings: ShortlistSettings): Candidate[] {
  const { temperature, topK, topP, minP, typicalP } = settings;
  const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  if (largest === Number.NEGATIVE_INFINITY) return [];
  const cuts = topK < logits.length || topP < 1 || minP > 0 || typicalP < 1;
  if (!cuts) return within(logits, largest, temperature, Number.POSITIVE_INFINITY);
  const all = topK < logits.length || topP === 1 ? 0 : total(logits, largest, temperature);
  let found: Candidate[] = [];
  for (const reach of REACHES) {
    found = within(logits, largest, temperature, reach);
    if (found.length >= topK || minP > exponential(-reach)) break;
    if (all > 0 && typicalP === 1 && mass(found) >= topP * all) break;
  }
  found.sort((a, b) => b.weight - a.weight || a.token - b.token);
  found.length = Math.min(found.length, topK);
  const wanted = topP * (all > 0 ? all : mass(found));
  let kept = 0;
  // At a top-p of 1 sums that are rounded must not decide.
  for (let sum = 0; kept < found.length && (topP === 1 || sum < wanted); kept++) sum += found[kept]!.weight;
  found.length = kept;
  const likely = found.filter(({ weight }) => weight >= minP);
  return typicalP < 1 ? typical(likely, typicalP) : likely;
}

/** Tokens at most `reach` nats below the likeliest, in the order of the vocabulary. */
function within(logits: Float32Array, largest: number, temperature: number, reach: number): Candidate[] {
  const found: Candidate[] = [];
  for (let token = 0; token < logits.length; token++) {
    const scaled = (logits[token]! - largest) / temperature;
    if (scaled < -reach) continue;
    const weight = exponential(scaled);
    if (weight > 0) found.push({ token, scaled, weight });
  }
  return found;
}

function total(logits: Float32Array, largest: number, temperature: number): number {
  let sum = 0;
  for (let token = 0; token < logits.length; token++) sum += exponential((logits[token]! - largest) / temperature);
  return sum;
}

function mass(candidates: readonly Candidate[]): number {
  let sum = 0;
  for (const { weight } of candidates) sum += weight;
  return sum;
}

/** Locally typical sampling (Meister et al. 2022): the tokens whose surprise is nearest to the entropy, up to a mass. */
function typical(candidates: readonly Candidate[], typicalP: number): Candidate[] {
  const sum = mass(candidates);
  const normaliser = logarithm(sum);
  let entropy = 0;
  for (const { weight, scaled } of candidates) entropy += (weight / sum) * (normaliser - scaled);
  const distanced = candidates.map((candidate) => ({
    candidate,
    distance: Math.abs(normaliser - candidate.scaled - entropy),
  }));
  distanced.sort((a, b) => a.distance - b.distance || a.candidate.token - b.candidate.token);
  let last = 0;
  for (let reached = 0; last < distanced.length - 1; last++) {
    reached += distanced[last]!.candidate.weight;
    if (reached >= typicalP * sum) break;
  }
  const farthest = distanced[last]!.distance;
  const kept = distanced.filter(({ distance }) => distance <= farthest).map(({ candidate }) => candidate);
  return kept.sort((a, b) => b.weight - a.weight || a.token - b.token);
}
