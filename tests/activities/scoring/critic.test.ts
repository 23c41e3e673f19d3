/** Which critic a scoring asks: what is not there is refused, not looked for again and again. */
import { DefaultLogger } from '@temporalio/worker';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it } from 'vitest';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promote } from '../../../activities/gate/champion-file.ts';
import { findCritic, lookUpCritic } from '../../../activities/scoring/critic.ts';
import { paths } from '../../../domain/names.ts';
import { evaluationPlan, makeStore, publishArtifact } from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity, rejection } from '../fixtures.ts';

const place = ({ key, path }: { key: string; path: string }) => ({ key, path });

it('a champion is the newest, or the version that was asked for, whatever was promoted since', async () => {
  const store = await makeStore();
  const folder = paths.champions(store.root, 'c');
  const versions = [];
  for (const version of [1, 2]) {
    const run = `run-${version}`;
    const model = await publishArtifact(store, 'grpo', {
      files: { 'model/config.json': '{}' },
      ingredients: { run },
      run,
    });
    await mkdir(paths.run(store.root, run), { recursive: true });
    await writeFile(join(paths.run(store.root, run), 'plan.json'), JSON.stringify(evaluationPlan(run)));
    const own = { run, model: place(model), evaluation: place(model), main_score: 0.5 };
    const decision = { passed: true, outcome: 'promote' as const, reasons: [], mainScore: 0.5, champion: null };
    await mkdir(folder, { recursive: true });
    await promote(folder, {
      schema: 2,
      version,
      base: version - 1 || null,
      ...own,
      predictions: place(model),
      decided_at: '2026-11-29T00:00:00.000Z',
      decision,
      reference: { version, ...own },
    });
    versions.push(model.path);
  }
  const { env } = activityEnvironment();
  const found = (version?: number) =>
    inActivity(env, () =>
      lookUpCritic(
        store,
        { champion: 'c', ...(version === undefined ? {} : { version }) },
        new AbortController().signal,
      ),
    );
  expect(await found()).toMatchObject({ version: 2, path: versions[1] });
  expect(await found(1)).toMatchObject({ version: 1, path: versions[0], words: 'champion c, version 1 (run run-1)' });
});

it.each([
  [new WorkflowNotFoundError('none', 'nosuch', undefined), { type: 'ConfigInvalid', nonRetryable: true }],
  [new Error('14 UNAVAILABLE'), { message: '14 UNAVAILABLE' }],
])(
  'a run that Temporal does not know is refused; a server that is away is asked again: %s',
  async (error, expected) => {
    const query = async () => {
      throw error;
    };
    const getHandle = () => ({ query });
    const withAbortSignal = <T>(_: AbortSignal, work: () => T) => work();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the test needs these alone
    const client = { workflow: { getHandle }, withAbortSignal } as unknown as Client;
    const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR'), client });
    const store = await makeStore();
    const found = inActivity(env, () =>
      findCritic(store, { run: 'nosuch', stage: 'grpo' }, new AbortController().signal),
    );
    expect(await rejection(found)).toMatchObject(expected);
  },
);
