/** What Slurm is asked for, against tests/golden/job-requests.json: same attempt, same request, in every release. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { type AttemptChanges, firstAttempt, type JobOrder, renderJobRequest } from '../../../domain/jobs/job-spec.ts';
import { attemptName, paths } from '../../../domain/names.ts';

const goldenFile = new URL('../../golden/job-requests.json', import.meta.url);
const golden = z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(goldenFile, 'utf8')));

const training: JobOrder = {
  run: 'night-20261123-190000',
  stage: 'grpo',
  key: '0123456789abcdef0123456789abcdef',
  ingredients: {},
  model: '/store/artifacts/sft/fedcba/model',
  inputs: { prompts: '/store/artifacts/prompts/aa', dataset: '/store/artifacts/dataset/bb' },
  params: { steps: 230, learning_rate: 1e-6, note: '$(touch /tmp/never)' },
  seed: 1,
  threads: 8,
  planned: { steps: 230, rows: null },
  engine: { name: 'trl', versions: { torch: '2.11.0' } },
  resources: {
    partition: 'gpu,gpu-long',
    account: 'vision',
    qos: 'high',
    nodes: 2,
    gpus_per_node: 8,
    gpu_type: 'h100',
    cpus: 64,
    memory_mib: 400_000,
    time_limit_minutes: 720,
    exclude_nodes: ['node-3'],
  },
  watch: { stall_factor: 10, stall_seconds: 600, first_row_seconds: 3600, checkpoint_seconds: 180 },
  trainer: '/store/code/c0de',
};
const onCpu: JobOrder = {
  ...training,
  stage: 'predict-base',
  planned: { steps: null, rows: 200 },
  resources: { nodes: 1, gpus_per_node: 0, cpus: 4, time_limit_minutes: 5, exclude_nodes: [] },
};
const retried: AttemptChanges = {
  resumeFrom: '/store/runs/night-20261123-190000/jobs/grpo/a2/checkpoints/checkpoint-100',
  excludeNodes: ['node-7', 'node-3'],
  memoryFactor: 1.5,
  timeLimitMinutes: 900,
  microBatchHalvings: 1,
};

const attempts: [name: string, order: JobOrder, attempt: number, changes: AttemptChanges][] = [
  ['training on two nodes, first attempt', training, 1, firstAttempt],
  ['training, third attempt, with more memory and time and without two nodes', training, 3, retried],
  ['predictions without a GPU, everything left to the cluster', onCpu, 1, firstAttempt],
];

describe('the job request', () => {
  it.each(attempts)('of %s is the golden one', (name, order, attempt, changes) => {
    const directory = paths.attempt('/store', order.run, order.stage, attempt);
    const request = renderJobRequest(order, attempt, changes, {
      environment: { python: '/env/bin/python' },
      directory,
    });
    expect(JSON.parse(JSON.stringify(request))).toEqual(golden[name]);
    expect(request.name).toBe(attemptName(order.run, order.stage, attempt));
  });

  it('has no parameter in it, and no golden one is left over', () => {
    expect(readFileSync(goldenFile, 'utf8')).not.toMatch(/touch|learning_rate|1e-6/);
    expect(Object.keys(golden)).toEqual(attempts.map(([name]) => name));
  });
});
