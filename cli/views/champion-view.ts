/** Champions as lines for a person. Pure. */
import type { ChampionSummary } from '../../domain/inquiries.ts';
import { cleanInOne, fitted } from './run-text.ts';
import { fittedTable, usualColumns } from './table.ts';

/** One line a champion, or a version of one. */
export function championTable(all: readonly ChampionSummary[], columns: number = usualColumns): string[] {
  if (all.length === 0) return ['no champions'];
  const rows = all.map(({ name, version, run, mainScore, decidedAt, by }) => [
    name,
    String(version),
    mainScore?.toFixed(3) ?? '',
    decidedAt.slice(0, 16).replace('T', ' '),
    by ?? 'gate',
    run,
  ]);
  return fittedTable([['NAME', 'V', 'SCORE', 'SINCE (UTC)', 'BY', 'RUN'], ...rows], [5, 4, 0], columns);
}

/** Versions of one champion, newest first, and below each how and why it became champion. */
export function championHistory(all: readonly ChampionSummary[], columns: number = usualColumns): string[] {
  const [heading = '', ...lines] = championTable(all, columns);
  const whys = all.map((one, at) => cleanInOne(`${howOf(one, all.slice(at + 1))}: ${one.reasons.join('; ')}`));
  return [heading, ...lines.flatMap((line, at) => [line, ...fitted(`  ${whys[at] ?? ''}`, columns)])];
}

/** `before`: the versions before it. A critic that was champion already is rolled back to. */
function howOf({ by, key }: ChampionSummary, before: readonly ChampionSummary[]): string {
  if (by === null) return 'the gate promoted it';
  const again = before.find((one) => one.key === key);
  return again === undefined
    ? `promoted by ${by}, not by the gate`
    : `rolled back to version ${again.version} by ${by}`;
}

/** One champion, whole. */
export function championLines(one: ChampionSummary): string[] {
  return [
    `${one.name}, version ${one.version}`,
    `  run        ${one.run}`,
    `  MainScore  ${one.mainScore?.toFixed(3) ?? 'could not be computed'}`,
    `  model      ${one.path}`,
    `  since      ${one.decidedAt.slice(0, 16).replace('T', ' ')} UTC, by ${one.by ?? 'the gate'}`,
    `  reference  version ${one.reference}: candidates are compared with it too`,
    ...one.reasons.map((reason) => `             ${reason}`),
  ];
}
