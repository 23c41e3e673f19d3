/** What a digest reads of a run, and that it comes though parts are broken. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { beforeEach, describe, expect, it } from 'vitest';
import { createDigestActivities } from '../../../activities/nights/digest.ts';
import { Turns } from '../../../activities/nights/turns.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { type JobStage, paths } from '../../../domain/names.ts';
import { inActivity, makePlan, temporaryFolder } from '../fixtures.ts';
import { aNight } from '../../domain/night-fixture.ts';

let root: string;
beforeEach(async () => {
  root = await temporaryFolder();
});

/** The digest's lines. `views`: paths of evaluations that the views of runs have; a run without one answers nothing. */
async function linesOf(views: Record<string, string | undefined>): Promise<string[]> {
  const getHandle = (run: string) => ({
    query: async () => {
      if (!Object.hasOwn(views, run)) throw new Error(`no view of ${run}`);
      return { stages: [{ stage: 'evaluation', artifact: views[run] }] };
    },
  });
  const withAbortSignal = (_signal: AbortSignal, work: () => unknown) => work();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of it is used
  const client = { workflow: { getHandle }, withAbortSignal } as unknown as Client;
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
  const own = createDigestActivities({ store: new ArtifactStore(root) });
  const { recipe } = makePlan('/data');
  const outcome = { verdict: 'passed', sentence: 'good', nothingNew: false } as const;
  const request = { night: aNight(), at: '2026-11-28T01:30:00.000Z', turn: 3, run: 'r-3', recipe, outcome };
  return (await inActivity(env, () => own.digestNight(request))).text.split('\n');
}

async function attempted(stage: JobStage, number: number, minutes: number, exit: number) {
  const folder = paths.attempt(root, 'r-3', stage, number);
  await mkdir(folder, { recursive: true });
  const ended = new Date(Date.parse('2026-11-28T02:00:00Z') + minutes * 60_000).toISOString();
  const times = { started_at: '2026-11-28T02:00:00Z', ended_at: ended };
  const outcome = { schema: 1, name: 'x', job_id: '1', host: 'h', exit_code: exit, signal: null, ...times };
  await writeFile(join(folder, 'outcome.json'), JSON.stringify(outcome));
}

describe('a digest', () => {
  it('counts the hours of all attempts, and which were wasted and why', async () => {
    await attempted('sft', 1, 30, 71);
    await attempted('sft', 2, 60, 0);
    await attempted('grpo', 1, 30, 85);
    await mkdir(paths.attempt(root, 'r-3', 'grpo', 2), { recursive: true });
    const gpus = makePlan('/data').recipe.sft.resources.gpus_per_node;
    const lines = await linesOf({ 'r-3': undefined });
    const hours = (many: number) => (many * gpus).toFixed(3);
    expect(lines).toContain(`GPU-hours: ${hours(2)} used, ${hours(0.5)} of them in attempts that did not end well`);
    expect(lines).toContain(`  sft a1: ${hours(0.5)}, GPU out of memory`);
  });

  it('compares with the newest night before it that came to a verdict', async () => {
    const turns = new Turns(root, 'n');
    const end = { nothingNew: false, endedAt: '2026-11-27T05:00:00Z' };
    await turns.writeEnd(1, { ...end, run: 'r-1', verdict: 'passed' });
    await turns.writeEnd(2, { ...end, run: 'r-2', verdict: 'failed' });
    const same = join(root, 'evaluation');
    const lines = await linesOf({ 'r-1': same, 'r-3': same });
    expect(lines).toContain('Against last night (r-1): the same evaluation');
    // Its files are not there.
    expect(lines.filter((line) => line.startsWith('Not known: the evaluation ('))).toHaveLength(1);
  });

  it('says why the critic has no MainScore', async () => {
    const path = join(root, 'evaluation');
    await mkdir(path);
    const evaluation = {
      schema: 1,
      split: 'test',
      pairs: 8,
      reward: { shape: 'l1', format_weight: 1, floor: 0.05 },
      sampled_temperature: 1,
      resampling: { unit: 'pair', units: 8, resamples: 1000, seed: 1 },
      models: { grpo: { main_score: { value: null, interval: null } } },
      refused: { grpo: 'all its 8 scores are 3' },
      sameness: {},
      differences: {},
      findings: [],
    };
    await writeFile(join(path, 'metrics.json'), JSON.stringify(evaluation));
    expect(await linesOf({ 'r-3': path })).toContain('MainScore undefined: all its 8 scores are 3');
  });

  it('comes without what nobody knows, and names it', async () => {
    const lines = await linesOf({});
    expect(lines[0]).toBe('good');
    expect(lines).toContain('Not known: the artifacts of the run (no view of r-3)');
  });

  it('is kept for nights.html, and comes though that fails', async () => {
    await linesOf({});
    const path = join(root, 'nights/n/turn-000003.digest.json');
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      night: 'n',
      run: 'r-3',
      verdict: 'passed',
      usd: null,
    });
    await rm(join(root, 'nights'), { recursive: true });
    await writeFile(join(root, 'nights'), 'in the way');
    const lines = await linesOf({});
    expect(lines[0]).toBe('good');
    expect(lines.find((line) => line.includes('this night in nights.html'))).toMatch(/E(EXIST|NOTDIR)/);
  });
});
