/** Numbers of an experiment's page, each with its place in `report.json`: a test reads both and compares. Pure. */
import type { Pooled } from '../../domain/experiment/pooling.ts';
import { signed } from '../../domain/critique/claims.ts';
import { cited } from '../pages/parts.ts';
import { type Html, html } from '../report/html.ts';
import type { ExperimentReport, MemberReport, Spent } from './data.ts';

/** The path of `report.json` below the store. */
export function fileOf(id: string): string {
  return `experiments/${id}/report.json`;
}

type Estimated = Pooled | null | undefined;

/** `0.664 [0.590, 0.722]`; a dash where it is undefined. `at`: the place of the estimate. */
export function plainCited(one: Estimated, places: number, at: string): Html {
  return interval(
    one,
    at,
    (value) => value.toFixed(places),
    ([from, to]) => html` <span class="bounds">[${from}, ${to}]</span>`,
  );
}

/** `+0.012 (−0.010 to +0.034)`; a dash where it is undefined. `at`: the place of the estimate. */
export function signedCited(one: Estimated, places: number, at: string): Html {
  return interval(
    one,
    at,
    (value) => signed(value, places),
    ([from, to]) => html` <span class="bounds">(${from} to ${to})</span>`,
  );
}

function interval(
  one: Estimated,
  at: string,
  say: (value: number) => string,
  within: (bounds: [Html, Html]) => Html,
): Html {
  const value = one?.value ?? null;
  if (value === null) return html`–`;
  const bounds = one?.interval ?? null;
  const bound = (index: 0 | 1, of: number) => cited(say(of), `${at}/interval/${index}`);
  return html`${cited(say(value), `${at}/value`)}${
    bounds === null ? undefined : within([bound(0, bounds[0]), bound(1, bounds[1])])
  }`;
}

/** GPU-hours spent and by itself, then USD likewise: sums over the runs of an arm; dashes where no run of it has left what it cost. */
export function costCells({ id, members }: ExperimentReport, arm: string): Html[] {
  const runs = [...members.entries()].filter(([, one]) => one.arm === arm && one.cost !== null);
  const sum = (of: keyof Spent, which: readonly (keyof NonNullable<MemberReport['cost']>)[]) => {
    const parts = runs.flatMap(([index, { cost }]) =>
      which.map((one) => ({ value: cost?.[one][of] ?? 0, at: `${fileOf(id)}#/members/${index}/cost/${one}/${of}` })),
    );
    const value = parts.reduce((all, part) => all + part.value, 0);
    const said = of === 'usd' ? `$${value.toFixed(2)}` : value.toFixed(3);
    return parts.length === 0 ? html`–` : cited(said, parts.map(({ at }) => at).join(' '));
  };
  return (['gpuHours', 'usd'] as const).flatMap((of) => [sum(of, ['own']), sum(of, ['own', 'taken'])]);
}

/** What an arm sets. */
export function overridesOf({ id, experiment }: ExperimentReport, arm: string): Html[] {
  const index = experiment.arms.findIndex(({ name }) => name === arm);
  return Object.entries(experiment.arms[index]?.set ?? {}).map(([field, value]) => {
    const at = `${fileOf(id)}#/experiment/arms/${index}/set/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const said = typeof value === 'string' ? value : JSON.stringify(value);
    // A part of a recipe or 1e-7 is no number to the digits that are shown: the section names the file.
    const isPlain = typeof value === 'string' || /^-?\d+(?:\.\d+)?$/.test(said);
    return html`${field}: ${isPlain ? cited(said, at) : said} `;
  });
}
