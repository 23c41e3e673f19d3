/** The table that a terminal shows at the end of a run. Pure. */
import type { Interval } from '../../domain/metrics.ts';
import type { Evaluation } from '../evaluation.ts';
import { gainSentence, modelNames } from './page.ts';

export function renderSummary(evaluation: Evaluation): string {
  const header = ['', 'MainScore', 'SRCC', 'PLCC fit', 'RMSE', 'reward T=1', 'readable', 'tokens'];
  const rows = modelNames.flatMap(([key, name]) => {
    const m = Object.entries(evaluation.models).find(([id]) => id === key)?.[1];
    if (m === undefined) return [];
    const cells = [
      name,
      withInterval(m.mainScore, m.mainScoreInterval),
      withInterval(m.srcc, m.srccInterval),
      number(m.plccFit),
      number(m.rmse),
      withInterval(m.rewardSampled, m.rewardSampledInterval),
      `${Math.round(m.readable * 100)} %`,
      m.tokens === null ? '–' : m.tokens.toFixed(1),
    ];
    return [cells];
  });
  const table = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  const lines = table.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n${gainSentence(evaluation)}\n`;
}

function withInterval(value: number | null, interval: Interval): string {
  if (value === null || interval === null) return number(value);
  return `${number(value)} [${number(interval[0])}, ${number(interval[1])}]`;
}

function number(value: number | null): string {
  return value === null ? '–' : value.toFixed(3);
}
