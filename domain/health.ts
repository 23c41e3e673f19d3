/**
 * Health: what logged numbers and answers say about GRPO. It warns, it does not stop: single signals have false positives
 * on real runs. Reference: the healthy published run goes from 358 to 402 tokens, a collapse falls below about 345
 * (fact sheet ie-critic-r1 §4.1, §7). Pure.
 */
import type { MetricsRow } from './manifest.ts';
import { mean } from './metrics.ts';

export interface Finding {
  level: 'good' | 'warning';
  sentence: string;
}

/** Share of the first steps' mean length below which the last steps' mean counts as a collapse. */
const collapseShare = 0.9;
const growthShare = 1.05;
/** Share of one same number, or one same opening, above which answers look like a template. */
const sameShare = 0.5;

/** Findings on a GRPO run's stitched metrics: answer length, format against accuracy, numbers that are none. */
export function judgeTraining(rows: readonly MetricsRow[]): Finding[] {
  const findings: Finding[] = [];
  const broken = rows.filter((row) => (row.non_finite ?? []).length > 0);
  if (broken.length > 0) findings.push(warning(`${broken.length} logged steps hold NaN or infinity`));
  const [first, last] = ends(rows, 'response_length');
  if (first !== undefined && last !== undefined) {
    const change = `from ${first.toFixed(1)} to ${last.toFixed(1)} tokens`;
    if (last < first * collapseShare) findings.push(warning(`answers got shorter, ${change}: length collapse`));
    else if (last > first * growthShare) findings.push({ level: 'good', sentence: `answers grew, ${change}` });
  }
  const [accuracyFirst, accuracyLast] = ends(rows, 'reward_l1');
  const [, formatLast] = ends(rows, 'reward_format');
  const falls = accuracyFirst !== undefined && accuracyLast !== undefined && accuracyLast < accuracyFirst - 0.05;
  if (falls && (formatLast ?? 0) > 0.95) {
    findings.push(warning('accuracy falls while format is perfect: look for reward hacking'));
  }
  return findings;
}

/** Findings on answers to different pairs: one same score, or one same text, too often. */
export function judgeAnswers(answers: readonly { score: number; think: string }[]): Finding[] {
  if (answers.length < 10) return [];
  const scores = topShare(answers.map((answer) => answer.score.toFixed(2)));
  const texts = topShare(answers.map((answer) => answer.think.replace(/\s+/g, ' ')));
  return [
    ...(scores > sameShare ? [warning(`${percent(scores)} of the answers give the same score`)] : []),
    ...(texts > sameShare ? [warning(`${percent(texts)} of the critiques are the same text`)] : []),
  ];
}

function ends(rows: readonly MetricsRow[], name: string): [number | undefined, number | undefined] {
  const values = rows.flatMap((row) => {
    const value = row[name];
    return typeof value === 'number' ? [value] : [];
  });
  if (values.length < 10) return [undefined, undefined];
  const part = Math.ceil(values.length / 10);
  return [mean(values.slice(0, part)), mean(values.slice(-part))];
}

function topShare(values: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Math.max(...counts.values()) / values.length;
}

function warning(sentence: string): Finding {
  return { level: 'warning', sentence };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
