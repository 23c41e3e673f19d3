/** What never leaves the client. */
import { describe, expect, test } from 'vitest';
import { SlurmError, type JobSubmission } from '../../src/index.ts';
import { json, smallJob, withClient } from './scripted-server.ts';

const bad: [string, Partial<JobSubmission>][] = [
  ['a name with a slash', { name: '../../etc' }],
  ['a name with a space', { name: 'a b' }],
  ['a name with a line end', { name: 'a\nb' }],
  ['a name with a shell substitution', { name: '$(id)' }],
  ['a name of 129 characters', { name: 'a'.repeat(129) }],
  ['an empty name', { name: '' }],
  ['a relative working directory', { currentWorkingDirectory: 'scratch' }],
  ['a working directory with ..', { currentWorkingDirectory: '/scratch/../root' }],
  ['a stdout with %x, which makes folders out of the name', { standardOutput: '/scratch/%x.log' }],
  ['a stderr with a line end', { standardError: '/scratch/a\nb' }],
  ['an empty environment', { environment: {} }],
  ['a variable with NUL', { environment: { A: 'x\0y' } }],
  ['a variable with a line end', { environment: { A: 'x\ny' } }],
  ['a variable whose name has =', { environment: { 'A=B': 'x' } }],
  ['a script without #!', { script: 'echo' }],
  ['a script with DOS line ends', { script: '#!/bin/sh\r\nexit 0\r\n' }],
  ['half a node', { nodes: 0.5 }],
  ['no tasks', { tasks: 0 }],
  ['a limit that is not a number', { timeLimitMinutes: Number.NaN }],
  ['no GPUs', { gpus: { countPerNode: 0 } }],
  ['a GPU type with a colon', { gpus: { type: 'a100:8,x', countPerNode: 1 } }],
  ['an excluded node that is a list', { excludedNodes: ['a,b'] }],
  ['a partition with a space', { partition: 'gpu x' }],
  ['a comment with a line end', { comment: 'a\nb' }],
  ['a warning by something that is no signal', { warningSignal: { signal: 'USR2@90', secondsBefore: 90 } }],
];

describe('not sent is', () => {
  test.each(bad)('%s', async (_, part) => {
    await withClient(
      (_request, response) => json(response, 200, { job_id: 1 }),
      async (client, received) => {
        const error = await client.submit({ ...smallJob, ...part }).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(SlurmError);
        expect(error).toMatchObject({ kind: 'refused', delivery: 'not-delivered', source: 'client' });
        expect(received).toEqual([]);
      },
    );
  });

  test.each(['', '..%2f', '12,13', '[1-5]', '-1', '1 2', '12_3', '12345678901'])('the job id %j', async (id) => {
    await withClient(
      (_request, response) => json(response, 200, { jobs: [] }),
      async (client, received) => {
        for (const call of [client.getJob(id), client.cancel(id), client.signal(id, 'TERM'), client.jobStates([id])]) {
          await expect(call).rejects.toMatchObject({ kind: 'refused' });
        }
        await expect(client.accountingJobs({ id })).rejects.toMatchObject({ kind: 'refused' });
        expect(received).toEqual([]);
      },
    );
  });

  test('the value of a variable, in any message', async () => {
    await withClient(
      (_request, response) => json(response, 200, {}),
      async (client) => {
        const error = await client.submit({ ...smallJob, environment: { KEY: 'hunter2\n' } }).catch(String);
        expect(error).toContain('KEY');
        expect(error).not.toContain('hunter2');
      },
    );
  });
});

test('%j is let through in stdout', async () => {
  await withClient(
    (_request, response) => json(response, 200, { job_id: 1 }),
    async (client) => {
      expect(await client.submit({ ...smallJob, standardOutput: '/scratch/%j.log' })).toMatchObject({ jobId: '1' });
    },
  );
});
