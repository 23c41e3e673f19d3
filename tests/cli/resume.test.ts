import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { makePlan } from '../activities/fixtures.ts';
import { critic, type FakeRun, fakeServer } from './fakes.ts';

const planOf = z.looseObject({ run: z.string(), resumes: z.string(), recipe: z.looseObject({ name: z.string() }) });
const result = { passed: true, reasons: [], mainScore: 0.5, report: '/r', summary: 'table\n', reused: [] };
const ended: FakeRun = { status: 'COMPLETED', result: () => result };
/** The caretaker, who has this plan of the run `r`. */
const having = (plan: object | null): Record<string, FakeRun> => ({
  'critic-caretaker': { type: 'caretaker', update: () => ({ plan }) },
  trainCritic: ended,
});
const old = { ...makePlan('/data', {}, 'r'), anew: { from: 'sft', by: 'r' }, night: { name: 'n', at: 'then' } };

describe('resume', () => {
  it.each(['CANCELLED', 'TERMINATED', 'FAILED', 'TIMED_OUT'])(
    'of a run that is %s starts a run of its plan that resumes it and is no night’s, and watches it',
    async (status) => {
      const server = fakeServer({ ...having(old), r: { status } });
      const { code, out } = await critic(['resume', 'r', '--owner', 'ada'], server);
      expect(code).toBe(0);
      const [[id, plan] = ['']] = [...server.started];
      expect(planOf.parse(plan)).toEqual({
        schema: 1,
        run: id,
        recipe: old.recipe,
        resumes: 'r',
        anew: old.anew,
        owner: 'ada',
      });
      expect(out).toContain(`run ${id}\n`);
      expect(out).toContain('Gate: passed');
      expect(server.calls).toContain('inquire critic-caretaker {"name":"plan","input":{"run":"r"}}');
    },
  );

  it.each<[string, Record<string, FakeRun>, string]>([
    ['goes on', { r: { status: 'RUNNING' } }, 'expected one that has ended, got one that goes on'],
    ['is paused in Temporal', { r: { status: 'PAUSED' } }, 'expected one that has ended, got one that goes on'],
    ['has a verdict', { r: ended }, 'expected one that ended early, got one with a verdict: see "critic rerun"'],
    [
      'another run resumes',
      { r: { status: 'FAILED' }, s: { memo: { resumes: 'r' } } },
      'run r: run s resumes it already; watch that one',
    ],
    ['nobody knows', {}, 'If the Temporal server that had it is gone for good, add --lost'],
  ])('refuses one that %s, and starts nothing', async (_what, runs, sentence) => {
    const server = fakeServer({ ...having(old), ...runs });
    const { code, err } = await critic(['resume', 'r'], server);
    expect(code).toBe(1);
    expect(err).toContain(sentence);
    expect([...server.started]).toEqual([]);
  });

  it('starts one in place of a run whose server was lost, if that is said', async () => {
    const server = fakeServer(having(old));
    expect((await critic(['resume', 'r', '--lost'], server)).code).toBe(0);
    expect([...server.started.values()].map((plan) => planOf.parse(plan).resumes)).toEqual(['r']);
  });

  it('says so where the plan is gone too', async () => {
    const { code, err } = await critic(['resume', 'r', '--lost'], fakeServer(having(null)));
    expect(code).toBe(1);
    expect(err).toContain('run r: expected a run whose plan is in the store, got none');
  });
});
