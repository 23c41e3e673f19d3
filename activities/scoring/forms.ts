/** Forms of scores for spreadsheets and terminals. Pure. */
import { type Evaluation, metricNames, whyNoMainScore } from '../../domain/evaluation/evaluation.ts';
import { lackOf } from '../../domain/evaluation/unmeasured.ts';
import { pairsInWords } from '../../domain/scoring/scoring.ts';
import type { PairScore } from '../../domain/scoring/scores.ts';
import { textTable } from '../../domain/text-table.ts';
import type { PairAnswers } from './answers.ts';
import type { KeptPair } from './pairs-artifact.ts';

/** A pair with what the critic says of it. `answer`: null where it was not asked. */
export interface ScoredPair extends PairScore {
  pair: KeptPair;
  answer: string | null;
  /** Tokens of the greedy answer. */
  tokens: number | null;
  /** The first sampled answer. */
  sampled?: PairAnswers['sampled'];
}

const headings = [
  'id',
  'source',
  'edited',
  'instruction',
  'score',
  'mean',
  'sd',
  'samples',
  'samples_readable',
  'mos',
  'fault',
  'critique',
] as const;
/** Rows that a terminal shows. */
const shownRows = 20;

/** RFC 4180, with a line of names. Numbers that are unknown are empty. */
export function csvOf(rows: readonly ScoredPair[]): string {
  const cells = rows.map(({ pair, score, mean, sd, samples, critique, answer }) => [
    pair.id,
    pair.source ?? '',
    pair.edited ?? '',
    pair.instruction ?? '',
    numeral(score),
    numeral(mean),
    numeral(sd),
    String(samples.length),
    String(samples.filter((one) => one !== null).length),
    numeral(pair.opinions.mos ?? null),
    pair.fault ?? (score === null ? 'its answer gives no score' : ''),
    critique === '' && score === null ? (answer ?? '') : critique,
  ]);
  return [headings, ...cells].map((row) => `${row.map(quoted).join(',')}\r\n`).join('');
}

/** A spreadsheet takes what begins so for a formula: an apostrophe makes it text. `scores.jsonl` has it as it was. */
function quoted(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function numeral(value: number | null): string {
  return value === null ? '' : String(Number(value.toFixed(4)));
}

/** The first rows as a table, what could not be scored, and agreement with people where it was measured. Lines end with a line feed. */
export function summaryOf(rows: readonly ScoredPair[], agreement: Evaluation | null): string {
  const shown = rows
    .slice(0, shownRows)
    .map(({ pair, score, mean, sd, samples, critique }) => [
      pair.id.slice(0, 24),
      fixed(score),
      sampledInWords({ mean, sd, samples }),
      fixed(pair.opinions.mos ?? null),
      pair.fault === undefined ? (score === null ? 'unreadable answer' : '') : 'not asked',
      short(pair.fault ?? critique),
    ]);
  const table = textTable([['PAIR', 'SCORE', 'SAMPLED', 'PEOPLE', '', ''], ...shown.map((row) => row.slice(0, 5))]);
  const lines = [
    ...table.map((line, index) => (index === 0 ? line : `${line}  ${shown[index - 1]?.[5] ?? ''}`.trimEnd())),
    ...(rows.length > shownRows ? [`… and ${rows.length - shownRows} more`] : []),
    '',
    ...(agreement === null ? [] : [...agreementLines(agreement), '']),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Such as `3.20 ±0.41 (7 of 8)`: how many samples could be read. Without a deviation where fewer than two could; blank where none was drawn. */
export function sampledInWords({ mean, sd, samples }: Pick<ScoredPair, 'mean' | 'sd' | 'samples'>): string {
  if (samples.length === 0) return '';
  const readable = samples.filter((one) => one !== null).length;
  const value = `${fixed(mean)}${sd === null ? '' : ` ±${fixed(sd)}`}`;
  return `${value} (${readable} of ${samples.length})`;
}

function agreementLines(agreement: Evaluation): string[] {
  const { models, pairs } = agreement;
  const found = models.grpo ?? {};
  const measured = ['main_score', 'srcc', 'plcc_fit', 'plcc', 'krcc', 'rmse', 'readable'] as const;
  const rows = metricNames
    .filter((name) => measured.some((one) => one === name))
    .map((name) => {
      const { value = null, interval = null } = found[name] ?? {};
      return [name, fixed(value, 3), interval === null ? '' : `${fixed(interval[0], 3)} to ${fixed(interval[1], 3)}`];
    });
  const why = whyNone(agreement);
  return [
    `Agreement with people on ${pairsInWords(pairs)}:`,
    ...textTable([['', 'VALUE', '95 %'], ...rows]),
    ...(why === undefined ? [] : [why]),
  ];
}

/** Why there is no MainScore, or no interval of it. Undefined: there are both. */
export function whyNone(agreement: Evaluation): string | undefined {
  const why = whyNoMainScore(agreement, 'grpo');
  return why && `It has ${lackOf('MainScore', agreement.models.grpo?.main_score?.value)}: ${why}`;
}

export function fixed(value: number | null, digits = 2): string {
  return value === null ? '-' : value.toFixed(digits);
}

/** One line of at most 60 characters. */
function short(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
