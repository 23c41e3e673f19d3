import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { makePlan } from '../activities/fixtures.ts';
import { critic, type FakeRun, fakeServer } from './fakes.ts';

const planOf = z.looseObject({ run: z.string() });
const result = { passed: true, reasons: [], mainScore: 0.5, report: '/r', summary: 'table\n', reused: [] };
const ended: FakeRun = { status: 'COMPLETED', result: () => result };
const old = { ...makePlan('/data', {}, 'r'), resumes: 'q', night: { name: 'n', at: 'then' } };
const server = (runs: Record<string, FakeRun>) =>
  fakeServer({ 'critic-caretaker': { type: 'caretaker', update: () => ({ plan: old }) }, trainCritic: ended, ...runs });

describe('rerun', () => {
  it.each<[string, Record<string, FakeRun>]>([
    ['has a verdict', { r: ended }],
    ['failed', { r: { status: 'FAILED' } }],
    ['Temporal has forgotten', {}],
  ])('of a run that %s starts one that makes the stage anew, under keys of its own', async (_what, runs) => {
    const at = server(runs);
    const { code, out } = await critic(['rerun', 'r', '--from', 'grpo', '--owner', 'ada'], at);
    expect(code).toBe(0);
    const [[id, plan] = ['']] = [...at.started];
    expect(planOf.parse(plan)).toEqual({
      schema: 1,
      run: id,
      recipe: old.recipe,
      anew: { from: 'grpo', by: id },
      owner: 'ada',
    });
    expect(out).toContain(`run ${id}\n`);
  });

  it.each<[string[], string]>([
    [['--from', 'dataset'], 'a dataset is kept by its content'],
    [['--from', 'gate'], 'every run makes its own gate'],
    [['--from', 'predict-other'], '--from: expected one of dataset, synthesis,'],
    [['--from', 'rlhf'], 'expected one of dataset, synthesis'],
    [[], "required option '--from <stage>' not specified"],
  ])('refuses what it cannot make anew, and starts nothing: %j', async (argv, sentence) => {
    const at = server({ r: ended });
    const { code, err } = await critic(['rerun', 'r', ...argv], at);
    expect(code).toBe(1);
    expect(err).toContain(sentence);
    expect([...at.started]).toEqual([]);
  });

  it('refuses a run that goes on', async () => {
    const { code, err } = await critic(['rerun', 'r', '--from', 'sft'], server({ r: {} }));
    expect(code).toBe(1);
    expect(err).toContain('run r: expected one that has ended, got one that goes on: "critic retry" is for its jobs');
  });
});
