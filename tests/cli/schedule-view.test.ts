/** Nights as people see them. That Temporal says so is tested in tests/workflows/schedules.test.ts. */
import { expect, it } from 'vitest';
import { type DescribedNight, describedView, listView } from '../../cli/commands/schedule/look.ts';

const at = (hour: number) => `2026-11-29T0${hour}:30:00.000Z`;
const row = { night: 'smoke', recipe: 'smoke.yaml', cluster: null, paused: false, note: null, next: at(1) };
const described = (...lastNights: DescribedNight['lastNights']): string[] => [
  ...describedView.lines({ ...row, file: null, nextNights: [], lastNights }),
];

it('all faults of a recipe are told, each on its line', () => {
  const sentence =
    'recipe "smoke.yaml": 2 faults\n  recipe.seed: expected a number, got "x"\n  recipe.grpo.steps: unknown';
  const lines = described({ at: at(1), workflow: 'w', verdict: 'wrong-recipe', run: null, sentence });
  expect(lines.slice(-3)).toEqual([
    '  2026-11-29 01:30 wrong-recipe recipe "smoke.yaml": 2 faults',
    '      recipe.seed: expected a number, got "x"',
    '      recipe.grpo.steps: unknown',
  ]);
});

it('a night that goes on has the id of its run', () => {
  const lines = described({ at: at(1), workflow: 'w', verdict: 'running', run: 'smoke-20261129-013000', sentence: '' });
  expect(lines.at(-1)).toBe('  2026-11-29 01:30 running smoke-20261129-013000');
});

it('a list is aligned, has the last verdict, and says why a schedule is paused', () => {
  const last = { at: at(2), workflow: 'w', verdict: 'skipped' as const, run: null, sentence: '' };
  const lines = listView.lines([
    { ...row, last: null },
    { ...row, night: 'a-longer-name', paused: true, note: 'the cluster moves', last },
  ]);
  expect(lines).toEqual([
    'NIGHT          NEXT (UTC)        LAST (UTC)',
    'smoke          2026-11-29 01:30  -',
    'a-longer-name  paused            skipped 2026-11-29 02:30',
    'a-longer-name: the cluster moves',
  ]);
});

it('a list names clusters as soon as one night has a named one', () => {
  const lines = listView.lines([
    { ...row, last: null },
    { ...row, night: 'big', cluster: 'a100', last: null },
  ]);
  expect(lines).toEqual([
    'NIGHT  CLUSTER  NEXT (UTC)        LAST (UTC)',
    'smoke  -        2026-11-29 01:30  -',
    'big    a100     2026-11-29 01:30  -',
  ]);
});
