/**
 * Verdicts: which answer of each row is kept, which rows must be asked again, and which are set aside. Pure: the same answers and the
 * same filter give the same verdicts, in any run and after any restart.
 */
import type { Pair } from '../../domain/manifest.ts';
import { judgeCritique, type RejectReason } from '../../domain/critique/critique-filter.ts';
import type { SynthesisSettings } from '../../domain/recipe.ts';
import type { DuplicateFinder } from './duplicate-finder.ts';
import type { Answer } from './log.ts';
import type { UnusableReason } from '../teacher/answer.ts';

export interface Rejection {
  try: number;
  reason: RejectReason | UnusableReason;
  detail: string;
}

export type KeptAnswer = Extract<Answer, { kind: 'critique' }> & { tone: 'agrees' | 'contradicts' };

type AnswersOf = (id: string) => readonly Answer[];

export interface RowVerdict {
  pair: Pair;
  kept: KeptAnswer | undefined;
  rejections: Rejection[];
}

/** Verdicts of every pair by itself, in the given order. It does not look for near-duplicates. */
export function judgeAlone(
  pairs: readonly Pair[],
  answersOf: AnswersOf,
  filter: SynthesisSettings['filter'],
  duplicates?: ReadonlySet<string>,
): RowVerdict[] {
  return pairs.map((pair) => judgeRow(pair, answersOf(pair.id), filter, duplicates));
}

/** The same, with near-duplicates: the later one loses its answer. Its next answer, if there is one, takes its place. */
export async function judgeTogether(
  pairs: readonly Pair[],
  answersOf: AnswersOf,
  filter: SynthesisSettings['filter'],
  finder: DuplicateFinder,
): Promise<RowVerdict[]> {
  const duplicates = new Set<string>();
  for (;;) {
    const verdicts = judgeAlone(pairs, answersOf, filter, duplicates);
    if (filter.near_duplicate === null) return verdicts;
    const texts = verdicts.flatMap(({ pair, kept }) =>
      kept === undefined ? [] : [{ name: answerName(pair.id, kept.try), text: Object.values(kept.critique).join(' ') }],
    );
    const found = await finder.find(texts, filter.near_duplicate);
    if (found.length === 0) return verdicts;
    for (const name of found) duplicates.add(name);
  }
}

/** Verdict of one row by itself: the first answer that passes is kept. `duplicates` holds `answerName`s. */
function judgeRow(
  pair: Pair,
  answers: readonly Answer[],
  filter: SynthesisSettings['filter'],
  duplicates: ReadonlySet<string> = new Set(),
): RowVerdict {
  const limits = { minWords: filter.min_words, maxWords: filter.max_words };
  const rejections: Rejection[] = [];
  for (const answer of answers) {
    if (answer.kind === 'unusable') {
      rejections.push({ try: answer.try, reason: answer.reason, detail: answer.detail });
      continue;
    }
    const detail = Object.values(answer.critique).join(' ').slice(0, 300);
    const verdict = judgeCritique(answer.critique, pair.mos.overall, limits);
    if (!verdict.accepted) rejections.push({ try: answer.try, reason: verdict.reason, detail });
    else if (duplicates.has(answerName(pair.id, answer.try))) {
      rejections.push({ try: answer.try, reason: 'near-duplicate', detail });
    } else return { pair, kept: { ...answer, tone: verdict.tone }, rejections };
  }
  return { pair, kept: undefined, rejections };
}

/** What the row's newest answer makes of it, by itself. Undefined: it must be asked again. */
export function rowEnd(
  pair: Pair,
  answers: readonly Answer[],
  { filter, tries_per_row: tries }: Pick<SynthesisSettings, 'filter' | 'tries_per_row'>,
): 'kept' | 'set-aside' | undefined {
  if (judgeRow(pair, answers.slice(-1), filter).kept !== undefined) return 'kept';
  return answers.length < tries ? undefined : 'set-aside';
}

/** How often each reason rejected an answer. */
export function countReasons(verdicts: readonly RowVerdict[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of verdicts.flatMap(({ rejections }) => rejections)) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

function answerName(id: string, tryNumber: number): string {
  return `${id}/${tryNumber}`;
}
