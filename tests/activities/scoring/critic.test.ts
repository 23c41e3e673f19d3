/** Which critic a scoring asks: what is not there is refused, not looked for again and again. */
import { DefaultLogger } from '@temporalio/worker';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it } from 'vitest';
import { findCritic } from '../../../activities/scoring/critic.ts';
import { makeStore } from '../evaluation/evaluation-fixtures.ts';
import { inActivity, rejection } from '../fixtures.ts';

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
