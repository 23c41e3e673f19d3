/** Golden bodies: what each family is sent for one and the same job. */
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { ApiVersion, JobSubmission } from '../../src/index.ts';
import { fullJob, json, smallJob, withClient } from './scripted-server.ts';

async function sent(apiVersion: ApiVersion, job: JobSubmission) {
  return withClient(
    (_, response) => json(response, 200, { job_id: 41, errors: [], warnings: [] }),
    async (client, received) => {
      const submitted = await client.submit(job);
      return { body: JSON.parse(received[0]?.body ?? '') as unknown, submitted, request: received[0] };
    },
    { apiVersion },
  );
}

function jobOf(body: unknown): object {
  return z.object({ job: z.looseObject({}) }).parse(body).job;
}

describe('the request body', () => {
  test('of v0.0.38 has the script on top, a dict of variables, ints, gres and exclude_nodes, and no signal', async () => {
    const { body, submitted } = await sent('v0.0.38', fullJob);
    expect(body).toEqual({
      script: '#!/bin/bash\nexit 0\n',
      job: {
        name: 'critic-7-sft-a1',
        partition: 'gpu',
        account: 'vision',
        qos: 'high',
        reservation: 'night',
        constraints: 'a100&ib',
        dependency: 'singleton',
        environment: { PATH: '/usr/bin:/bin', SLURM_UMASK: '0077' },
        current_working_directory: '/scratch/run',
        standard_output: '/scratch/run/job.log',
        standard_error: '/scratch/run/job.err',
        open_mode: 'append',
        nodes: 2,
        tasks: 2,
        cpus_per_task: 16,
        memory_per_node: 200_000,
        gres: 'gpu:a100:8',
        time_limit: 2880,
        exclude_nodes: 'a100-7,a100-9',
        exclusive: 'exclusive',
        hold: true,
        no_requeue: true,
        comment: 'critic run 7',
      },
    });
    expect(submitted.warnings).toEqual([
      { source: 'slurm-rest-client', description: expect.stringContaining('cannot signal the batch shell') as unknown },
    ]);
  });

  const modern = {
    name: 'critic-7-sft-a1',
    partition: 'gpu',
    account: 'vision',
    qos: 'high',
    reservation: 'night',
    constraints: 'a100&ib',
    dependency: 'singleton',
    script: '#!/bin/bash\nexit 0\n',
    environment: ['PATH=/usr/bin:/bin', 'SLURM_UMASK=0077'],
    current_working_directory: '/scratch/run',
    standard_output: '/scratch/run/job.log',
    standard_error: '/scratch/run/job.err',
    open_mode: ['APPEND'],
    nodes: '2',
    tasks: 2,
    cpus_per_task: 16,
    memory_per_node: { set: true, number: 200_000 },
    tres_per_node: 'gres/gpu:a100:8',
    time_limit: { set: true, number: 2880 },
    excluded_nodes: ['a100-7', 'a100-9'],
    hold: true,
    requeue: false,
    comment: 'critic run 7',
    kill_warning_signal: 'USR2',
    kill_warning_delay: { set: true, number: 300 },
    kill_warning_flags: ['BATCH_JOB'],
  };

  test.each(['v0.0.40', 'v0.0.41'] as const)('of %s asks for whole nodes by exclusive', async (version) => {
    const { body } = await sent(version, fullJob);
    expect(body).toEqual({ job: { ...modern, exclusive: ['true'] } });
  });

  test.each(['v0.0.42', 'v0.0.43', 'v0.0.44', 'v0.0.45'] as const)(
    'of %s asks for whole nodes by shared',
    async (version) => {
      const { body } = await sent(version, fullJob);
      expect(body).toEqual({ job: { ...modern, shared: ['none'] } });
    },
  );

  test('leaves out what was not said, in every family', async () => {
    const old = await sent('v0.0.38', smallJob);
    expect(Object.keys(jobOf(old.body))).toEqual([
      'name',
      'environment',
      'current_working_directory',
      'standard_output',
      'open_mode',
      'nodes',
      'tasks',
      'cpus_per_task',
      'time_limit',
      'no_requeue',
      'comment',
    ]);
    const modernJob = jobOf((await sent('v0.0.42', smallJob)).body);
    expect(modernJob).not.toHaveProperty('tres_per_node');
    expect(modernJob).not.toHaveProperty('excluded_nodes');
    expect(modernJob).toMatchObject({ requeue: false });
    expect(jobOf((await sent('v0.0.38', { ...smallJob, requeue: true })).body)).toMatchObject({ requeue: true });
  });

  test('of GPUs without a type names just the count', async () => {
    const job = { ...smallJob, gpus: { countPerNode: 2 } };
    expect((await sent('v0.0.38', job)).body).toMatchObject({ job: { gres: 'gpu:2' } });
    expect((await sent('v0.0.42', job)).body).toMatchObject({ job: { tres_per_node: 'gres/gpu:2' } });
  });
});

describe('the request', () => {
  test('has exactly application/json, a Content-Length, both X- headers, and neither chunks nor Authorization', async () => {
    const { request } = await sent('v0.0.38', smallJob);
    expect(request).toMatchObject({ method: 'POST', url: '/slurm/v0.0.38/job/submit' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(request?.body ?? '')),
      accept: 'application/json',
      'x-slurm-user-name': 'alice',
      'x-slurm-user-token': 'the-token',
    });
    expect(request?.headers).not.toHaveProperty('transfer-encoding');
    expect(request?.headers).not.toHaveProperty('authorization');
    expect(request?.headers).not.toHaveProperty('expect');
  });

  test('counts Content-Length in bytes, not characters', async () => {
    const { request } = await sent('v0.0.42', { ...smallJob, comment: 'Schärfe ✓' });
    expect(Number(request?.headers['content-length'])).toBe(Buffer.byteLength(request?.body ?? ''));
  });
});
