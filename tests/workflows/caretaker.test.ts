/** The caretaker on a real Temporal server: it looks, answers, goes on as new, and is there again when it was ended. */
import { ApplicationFailure } from '@temporalio/common';
import { afterEach, describe, expect, it } from 'vitest';
import type { Client } from '@temporalio/client';
import type { Inquiry } from '../../domain/inquiries.ts';
import { caretakerId } from '../../domain/clusters.ts';
import { ensureCaretaker, keepCaretaker } from '../../workers/caretaker.ts';
import { stubs, until, withWorkers } from './harness.ts';

const hourly = { reaperIntervalMs: 3_600_000 };
const handleOf = (client: Client) => client.workflow.getHandle(caretakerId(undefined));
const inquire = (client: Client, name: string) =>
  handleOf(client).executeUpdate('inquire', { args: [{ name, input: { run: 'r' } }] });

let last: Client | undefined;
afterEach(async () => {
  await last?.workflow
    .getHandle(caretakerId(undefined))
    .terminate('the test is over')
    .catch(() => undefined);
});

async function withCaretaker(overrides: Parameters<typeof stubs>[0], work: (client: Client) => Promise<void>) {
  const { activities, calls } = stubs(overrides);
  await withWorkers(activities, caretakerId(undefined), async (client) => {
    last = client;
    await ensureCaretaker(client, hourly);
    await work(client);
  });
  return calls;
}

describe('the caretaker', () => {
  it('gives an inquiry to an activity and its reply back; what was refused is told', async () => {
    const answerInquiry = async ({ input }: Inquiry) => {
      if (!('run' in input) || input.run !== 'r')
        throw ApplicationFailure.nonRetryable('no such thing', 'ConfigInvalid');
      return { plan: null };
    };
    await withCaretaker({ answerInquiry }, async (client) => {
      expect(await inquire(client, 'plan')).toEqual({ plan: null });
      const refused = handleOf(client).executeUpdate('inquire', { args: [{ name: 'plan', input: { run: 'x' } }] });
      await expect(refused).rejects.toMatchObject({ cause: { cause: { message: 'no such thing' } } });
      expect(await inquire(client, 'plan')).toEqual({ plan: null });
    });
  });

  it('looks for orphans when it begins and when it is told how often; a look that fails does not end it', async () => {
    let looks = 0;
    const findOrphans = async () => {
      looks += 1;
      throw ApplicationFailure.nonRetryable('slurmrestd is away', 'Refused');
    };
    await withCaretaker({ findOrphans }, async (client) => {
      await until(
        async () => looks,
        (seen) => seen === 1,
      );
      await ensureCaretaker(client, { reaperIntervalMs: 100 });
      await until(
        async () => looks,
        (seen) => seen >= 4,
      );
      expect((await handleOf(client).describe()).status.name).toBe('RUNNING');
    });
  });

  it('is one, whoever begins it, and is begun again after somebody has terminated it', async () => {
    await withCaretaker({}, async (client) => {
      await Promise.all([ensureCaretaker(client, hourly), keepCaretaker(client, hourly)]);
      const first = await handleOf(client).describe();
      await handleOf(client).terminate('by hand');
      await keepCaretaker(client, hourly);
      const second = await handleOf(client).describe();
      expect(second.status.name).toBe('RUNNING');
      expect(second.runId).not.toBe(first.runId);
    });
  });
});
