/** Submission against a scripted slurmrestd: answers that the fault tests' real one does not give on demand. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Accounting } from '../../../activities/jobs/accounting.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createSubmissionActivities, whyRefused } from '../../../activities/jobs/submission.ts';
import { firstAttempt } from '../../../domain/jobs/job-spec.ts';
import { paths } from '../../../domain/names.ts';
import {
  failed,
  json,
  plain,
  type Script,
  urls,
  withClient,
} from '../../../packages/slurm-rest-client/tests/unit/scripted-server.ts';
import { activityEnvironment, inActivity, sftOrder, temporaryFolder } from '../fixtures.ts';

const pings = { pings: [], meta: { slurm: { release: '24.11.5', cluster: 'c' } } };

/** Tries to submit until it succeeds, at most twice: what each try gave, what was asked, what the record says. */
async function submitting(script: Script) {
  const store = new ArtifactStore(await temporaryFolder());
  const folder = paths.attempt(store.root, 'run-1', 'sft', 1);
  await mkdir(folder, { recursive: true });
  const input = { order: sftOrder('run-1'), attempt: 1, changes: firstAttempt };
  return withClient(
    script,
    async (slurm, received) => {
      const job = { python: '/python', script: '#!/bin/bash\n', userName: 'critic' };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
      const deps = { store, slurm, accounting: new Accounting(slurm), job } as unknown as Parameters<
        typeof createSubmissionActivities
      >[0];
      const activities = createSubmissionActivities(deps);
      const submit = () => inActivity(activityEnvironment().env, () => activities.submitJob(input));
      const first = await submit().catch((error: unknown) => error);
      const second = first instanceof Error ? await submit() : undefined;
      const record = await readFile(join(folder, 'submission.json'), 'utf8').catch(() => '');
      return { first, second, asked: urls(received), record };
    },
    { apiVersion: undefined },
  );
}

const posts = (asked: string[]) => asked.filter((url) => url.startsWith('POST'));

describe('a submission', () => {
  it.each([
    ['a proxy’s page', 200, '<html>one moment, please</html>'],
    ['half an answer', 200, '{"pings": [{"host"'],
    ['a 400 in plain words', 400, 'bad gateway, they say'],
  ])(
    'before which the search for an API version met %s is tried again: nothing was sent',
    async (_what, status, text) => {
      const { first, second, asked, record } = await submitting((request, response, before) => {
        if (request.method === 'POST') return json(response, 200, { job_id: 7 });
        if (before === 0 && request.url.includes('v0.0.45')) return plain(response, status, text);
        return json(response, 200, pings);
      });
      expect(first).toBeInstanceOf(Error);
      expect(second).toEqual({ jobId: '7', adopted: false });
      expect(posts(asked)).toHaveLength(1);
      expect(record).toContain('"submitted"');
    },
  );

  it('that Slurm turns down is refused at once, and its record goes', async () => {
    const { first, asked, record } = await submitting((request, response) => {
      if (request.method === 'POST') return json(response, 500, failed(2000, 'invalid partition'));
      return json(response, 200, pings);
    });
    expect(first).toMatchObject({ jobId: '', refused: expect.stringContaining('invalid partition') });
    expect(posts(asked)).toHaveLength(1);
    expect(record).toBe('');
  });

  it('that is refused for its partition says which one that was, and what takes another', () => {
    const said = 'refused by Slurm: Invalid partition name specified (2000, HTTP 500)';
    expect(whyRefused(said, 'nope')).toBe(
      `${said}; the job asks for "nope", and "retry --partition NAME" takes another one`,
    );
    expect(whyRefused('Invalid qos', 'a100')).toBe('Invalid qos');
    expect(whyRefused(said, undefined)).toBe(said);
  });
});
