/** Why agreement of a critic with people cannot be measured: the one place that finds the cause and words it. Pure. */
import { fewestFitted } from './logistic-fit.ts';
import type { Estimate } from './resampling.ts';

/** A judged answer to a pair. `score`: null if it cannot be read. */
interface Judged {
  greedy: { score: number | null };
  mos: number;
}

/** Agreement of a smaller share of readable answers than this is none of the critic's: the answers that it could not give are not in it. */
const fewestReadable = 0.5;

/** Why nothing can be said of the agreement of these answers with people, or undefined. */
export function refusalOf(items: readonly Pick<Judged, 'greedy'>[]): string | undefined {
  const readable = items.filter(({ greedy }) => greedy.score !== null).length;
  if (readable >= items.length * fewestReadable) return undefined;
  return `only ${readable} of ${items.length} answers can be read: agreement with people needs ${fewestReadable * 100} %`;
}

/** Why an agreement of these answers with people has no value or no interval, as a part of a sentence. Undefined: it has both. */
export function whyUnmeasured(items: readonly Judged[], { value, interval }: Estimate): string | undefined {
  if (value === null) return whyNone(items);
  return interval === null ? whyNoInterval(items) : undefined;
}

function whyNone(items: readonly Judged[]): string {
  if (items.length === 0) return 'there are no answers';
  const refused = refusalOf(items);
  if (refused !== undefined) return refused;
  const scores = scoresOf(items);
  const [[score, count] = [0, 0]] = mostFrequent(scores);
  if (count === scores.length) return `${allOf(scores.length, items.length)} give the score ${plain(score)}`;
  if (scores.length < fewestFitted)
    return `only ${scores.length} answers can be read: the logistic fit needs ${fewestFitted}`;
  const opinions = items.flatMap(({ greedy, mos }) => (greedy.score === null ? [] : [mos]));
  if (new Set(opinions).size === 1)
    return `people give all ${opinions.length} pairs the score ${plain(opinions[0] ?? 0)}`;
  return `its ${scores.length} scores do not vary enough for a correlation and a logistic fit`;
}

function whyNoInterval(items: readonly Judged[]): string {
  const scores = scoresOf(items);
  const [[score, count] = [0, 0]] = mostFrequent(scores);
  return `${count} of its ${scores.length} scores are ${plain(score)}: too many resamples have no value`;
}

function allOf(readable: number, all: number): string {
  return readable === all ? `all its ${all} answers` : `all ${readable} of its ${all} answers that can be read`;
}

function scoresOf(items: readonly Judged[]): number[] {
  return items.flatMap(({ greedy }) => greedy.score ?? []);
}

/** Values with how often they are there, the most frequent first. */
function mostFrequent(values: readonly number[]): [value: number, count: number][] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

/** With two decimals at most. */
function plain(score: number): string {
  return String(Number(score.toFixed(2)));
}

/** What is lacking: `no MainScore` or, where only its interval is, `no interval of MainScore`. */
export function lackOf(name: string, value: number | null | undefined): string {
  return value === null || value === undefined ? `no ${name}` : `no interval of ${name}`;
}
