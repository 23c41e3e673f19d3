/** What `metrics` and `checkpoints` read of a run, through the activity that answers them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkpointsView } from '../../cli/commands/reading/checkpoints.ts';
import { metricsView } from '../../cli/commands/reading/metrics.ts';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import { paths } from '../../domain/names.ts';
import { type AskedStore, askedStore, leaveAttempt, leavePlan } from './asked-store.ts';
import { critic, onTerminal } from './fakes.ts';

const run = 'demo-20261128-190000';
let at: AskedStore;
beforeEach(async () => {
  at = await askedStore();
  at.knows(run);
});
const typed = (...argv: string[]) => critic(argv, at.server);

describe('metrics', () => {
  it('are one series, whatever the number of attempts', async () => {
    await leaveAttempt(at, run, 'sft', 1, { steps: [1, 2, 3, 4], exitCode: 85 });
    await leaveAttempt(at, run, 'sft', 2, { steps: [3, 4, 5] });
    const { out } = await typed('metrics', run, 'sft', '--json');
    const value = metricsView.schema.parse(JSON.parse(out));
    expect(value).toMatchObject({ run, stage: 'sft', attempts: 2 });
    expect(value.rows.map(({ step, attempt }) => [step, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
      [4, 2],
      [5, 2],
    ]);
    expect((await typed('metrics', run)).out).toBe(
      'step    loss\n1     0.1250\n2     0.2500\n3     0.3750\n4     0.5000\n5     0.6250\n',
    );
    expect((await typed('metrics', run, '--csv', '--last', '1')).out).toBe('step,attempt,loss\n5,2,0.625\n');
  });

  it('have the rows of the run that is resumed, at the same artifact only', async () => {
    const earlier = 'demo-20261128-180000';
    await leavePlan(at, earlier);
    await leavePlan(at, run, { resumes: earlier });
    await leaveAttempt(at, earlier, 'grpo', 1, { steps: [1, 2], exitCode: 85, key: 'a'.repeat(32) });
    await leaveAttempt(at, earlier, 'sft', 1, { steps: [7, 8], exitCode: 85, key: 'b'.repeat(32) });
    await leaveAttempt(at, run, 'grpo', 1, { steps: [3], key: 'a'.repeat(32) });
    await leaveAttempt(at, run, 'sft', 1, { steps: [9], key: 'c'.repeat(32) });
    expect((await typed('metrics', run, 'grpo', '--csv')).out).toMatch(/^step.*\n1,.*\n2,.*\n3,.*\n$/);
    expect((await typed('metrics', run, 'sft', '--csv')).out).toMatch(/^step.*\n9,.*\n$/);
  });

  it('come in pages where they are many, and from the artifact where the stage was reused', async () => {
    const key = 'd'.repeat(32);
    const folder = paths.artifact(at.store.root, 'grpo', key);
    await mkdir(folder, { recursive: true });
    const rows = Array.from({ length: 4000 }, (_, step) => `${JSON.stringify({ step, loss: 0.5, reward: 1 })}\n`);
    await writeFile(join(folder, 'metrics.jsonl'), rows.join(''));
    at.knows(run, { artifacts: { grpo: folder } });
    const { out } = await typed('metrics', run, 'grpo', '--csv');
    expect(out.split('\n')).toHaveLength(4002);
    expect(at.server.calls.filter((call) => call.includes('"metrics"')).length).toBeGreaterThan(1);
  });

  it('fit the terminal, are all there on a pipe, and quote what CSV must quote', async () => {
    const folder = await leaveAttempt(at, run, 'grpo', 1, {});
    const names = ['loss', 'reward', 'reward_l1', 'reward_format', 'response_length', 'lr', 'grad_norm', 'entropy'];
    const row = { step: 10_000, ...Object.fromEntries(names.map((name) => [name, -0.000_012_345])), note: 'a "b", c' };
    await writeFile(join(folder, 'metrics.jsonl'), `${JSON.stringify({ ...row, non_finite: ['loss', 'x'] })}\n`);
    expect((await typed('metrics', run, 'grpo')).out).toMatch(/^step .* grad_norm .*entropy\n/);
    const out = await onTerminal(['metrics', run, 'grpo'], at.server, 80);
    expect(out).not.toContain('entropy');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect((await typed('metrics', run, 'grpo', '--csv')).out).toMatch(/,loss x,.*,"a ""b"", c"\n/);
  });

  it('say what is missing', async () => {
    expect((await typed('metrics', run, 'sft')).err).toContain('stage sft has not begun');
    await leaveAttempt(at, run, 'sft', 1, {});
    expect((await typed('metrics', run, 'sft')).err).toContain('stage sft has no number yet');
  });
});

describe('checkpoints', () => {
  it('are those that are complete, with sizes, across stages and attempts', async () => {
    const folder = await leaveAttempt(at, run, 'sft', 1, { checkpoints: [8, 16], key: 'e'.repeat(32) });
    await mkdir(join(folder, 'checkpoints/.checkpoint-24.tmp'));
    await leaveAttempt(at, run, 'grpo', 1, { checkpoints: [4] });
    const value = checkpointsView.schema.parse(JSON.parse((await typed('checkpoints', run, '--json')).out));
    const rows = value.map(({ stage, step, bytes, key }) => [stage, step, bytes, key]);
    expect(rows.map((row) => row.join(' ')).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'grpo 4 2048 ',
      `sft 16 2048 ${'e'.repeat(32)}`,
      `sft 8 2048 ${'e'.repeat(32)}`,
    ]);
    const { out } = await typed('checkpoints', run);
    expect(out).toMatch(/^sft attempt 1 +16 +2\.0 KiB /m);
    expect(out).toContain('6.0 KiB in all');
    expect(out).not.toContain('<');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    at.knows('other');
    expect((await typed('checkpoints', 'other')).out).toBe('no checkpoints\n');
    await leavePlan(at, 'forgotten');
    expect((await typed('checkpoints', 'forgotten')).out).toBe('no checkpoints\n');
  });

  it('say from which one a resume goes on: none of a stage that is done, and not where nothing would be left to do', async () => {
    const [sft, grpo] = ['e'.repeat(32), artifactKey('grpo', { n: 1 })];
    const manifest = (name: string, steps: number) =>
      JSON.stringify({ planned: { steps, rows: null }, engine: { name } });
    const lay = async (stage: 'sft' | 'grpo', attempt: number, steps: number[], key: string, engine: string) => {
      const folder = await leaveAttempt(at, run, stage, attempt, { checkpoints: steps, key });
      await writeFile(join(folder, 'attempt.json'), manifest(engine, 24));
    };
    await lay('sft', 1, [8, 16], sft, 'llamafactory');
    await lay('sft', 2, [20, 24], sft, 'llamafactory');
    await lay('grpo', 1, [24], grpo, 'easyr1');
    const marked = async () => {
      const value = checkpointsView.schema.parse(JSON.parse((await typed('checkpoints', run, '--json')).out));
      return value
        .filter(({ resumes }) => resumes)
        .map(({ stage, step }) => `${stage} ${step}`)
        .toSorted();
    };
    expect(await marked()).toEqual(['grpo 24', 'sft 20']);
    const { out } = await typed('checkpoints', run);
    expect(out.split('\n').filter((line) => line.endsWith('<'))).toHaveLength(2);
    expect(out).toContain('<  the next attempt, or "critic resume", goes on from here');
    // Another artifact goes on from nothing that was before.
    await lay('sft', 3, [], 'd'.repeat(32), 'llamafactory');
    expect(await marked()).toEqual(['grpo 24']);
    const from = join(at.store.root, 'partial/grpo-1');
    await mkdir(from, { recursive: true });
    await writeFile(join(from, 'model'), 'x');
    const made = { counts: {}, cost: {}, run, attempts: [] };
    await at.store.publish({ stage: 'grpo', key: grpo, ingredients: { n: 1 }, from, ...made });
    expect(await marked()).toEqual([]);
  });

  it('of a name that is no run’s are refused by the worker, by field', async () => {
    const { code, err } = await typed('checkpoints', '../x');
    expect(code).toBe(1);
    expect(err).toContain('critic: run: expected the id of a run, got "../x"');
  });
});

describe('a run that nobody knows', () => {
  it.each([['checkpoints'], ['metrics'], ['diff', run]])('is told by critic %s', async (...verb) => {
    await leavePlan(at, run);
    const { code, err, out } = await typed(...verb, 'nobody');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(
      /^critic: run "nobody": expected the id of a run, .*neither Temporal nor the store has such a run\n$/,
    );
  });
});
