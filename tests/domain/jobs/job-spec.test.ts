import { describe, expect, it } from 'vitest';
import type { EngineName } from '../../../domain/engines/registry.ts';
import { attemptParams, firstAttempt, type JobOrder, renderJobRequest } from '../../../domain/jobs/job-spec.ts';

const order: JobOrder = {
  run: 'demo-20261123-190000',
  stage: 'sft',
  key: 'k',
  ingredients: {},
  model: '/store/models/m',
  inputs: {},
  params: { batch_size: 16, gradient_accumulation: 2 },
  seed: 1,
  threads: 1,
  planned: { steps: 10, rows: null },
  engine: { name: 'llamafactory', versions: {} },
  resources: {
    nodes: 1,
    gpus_per_node: 8,
    gpu_type: 'a100',
    cpus: 4,
    memory_mib: 1000,
    time_limit_minutes: 60,
    exclude_nodes: ['a'],
  },
  watch: { stall_factor: 10, stall_seconds: 600, first_row_seconds: 3600, checkpoint_seconds: 180 },
  trainer: '/store/code/abc',
};

describe('the job request', () => {
  it('says how many ranks a node has where there are several processes', () => {
    const ranked = { ...order, params: { processes: 16 }, resources: { ...order.resources, nodes: 2 } };
    const { environment } = renderJobRequest(ranked, 1, firstAttempt, {
      environment: { python: '/p' },
      directory: '/d',
    });
    expect(environment['CRITIC_RANKS_PER_NODE']).toBe('8');
  });

  it('names the image in which the interpreter is, and what jobs see in it', () => {
    const image = { path: '/images/verl.sif', binds: ['/store', '/models'] };
    const around = { environment: { python: '/usr/bin/python3', image }, directory: '/store/d' };
    expect(renderJobRequest(order, 1, firstAttempt, around).environment).toMatchObject({
      CRITIC_PYTHON: '/usr/bin/python3',
      CRITIC_IMAGE: '/images/verl.sif',
      CRITIC_IMAGE_BINDS: '/store,/models',
    });
  });

  it('has one trainer of ours on each node where the engine runs on Ray', () => {
    const onRay = {
      ...order,
      engine: { name: 'verl', versions: {} } as const,
      params: { nodes: 2, processes_per_node: 8 },
    };
    const around = { environment: { python: '/p' }, directory: '/d' };
    expect(renderJobRequest(onRay, 1, firstAttempt, around).environment).toMatchObject({
      CRITIC_RANKS_PER_NODE: '1',
      // It does not save when it is asked, so it trains until a minute before the limit.
      CRITIC_CHECKPOINT_AFTER: '3540',
    });
  });

  it('asks for what the recipe says and passes paths alone: no parameter, no secret', () => {
    const request = renderJobRequest(order, 2, firstAttempt, {
      environment: { python: '/env/bin/python' },
      directory: '/store/runs/r/a2',
    });
    expect(request).toEqual({
      name: 'critic-demo-20261123-190000-sft-a2',
      environment: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        HOME: '/store/runs/r/a2',
        LANG: 'C.UTF-8',
        SLURM_UMASK: '0077',
        CRITIC_ATTEMPT_DIR: '/store/runs/r/a2',
        CRITIC_PYTHON: '/env/bin/python',
        CRITIC_TRAINER: '/store/code/abc',
        CRITIC_CHECKPOINT_AFTER: '3420',
      },
      currentWorkingDirectory: '/store/runs/r/a2',
      standardOutput: '/store/runs/r/a2/job.log',
      partition: undefined,
      account: undefined,
      qos: undefined,
      nodes: 1,
      cpusPerTask: 4,
      memoryPerNodeMiB: 1000,
      gpus: { type: 'a100', countPerNode: 8 },
      timeLimitMinutes: 60,
      excludedNodes: ['a'],
      comment: 'critic run demo-20261123-190000 stage sft attempt 2',
    });
  });

  it('takes over more memory, more time and nodes to leave out from the policy or the operator', () => {
    const changes = { ...firstAttempt, memoryFactor: 1.5, timeLimitMinutes: 90, excludeNodes: ['b', 'a'] };
    const request = renderJobRequest(order, 1, changes, { environment: { python: '/p' }, directory: '/d' });
    expect(request).toMatchObject({ memoryPerNodeMiB: 1500, timeLimitMinutes: 90, excludedNodes: ['a', 'b'] });
    expect(request.environment['CRITIC_CHECKPOINT_AFTER']).toBe('5220');
  });

  it('has a job checkpoint at half of a limit that is shorter than twice the margin', () => {
    const changes = { ...firstAttempt, timeLimitMinutes: 5 };
    const request = renderJobRequest(order, 1, changes, { environment: { python: '/p' }, directory: '/d' });
    expect(request.environment['CRITIC_CHECKPOINT_AFTER']).toBe('150');
  });
});

describe('halving the micro-batch keeps the global batch', () => {
  const halved = (name: EngineName, times: number, params: Record<string, unknown>) =>
    attemptParams({ engine: { name, versions: {} }, params }, { ...firstAttempt, microBatchHalvings: times });
  it.each([
    [
      'SFT, once',
      'llamafactory',
      1,
      { batch_size: 16, gradient_accumulation: 2 },
      { batch_size: 8, gradient_accumulation: 4 },
    ],
    [
      'SFT, as far as it goes',
      'llamafactory',
      9,
      { batch_size: 12, gradient_accumulation: 1 },
      { batch_size: 3, gradient_accumulation: 4 },
    ],
    [
      'GRPO, once',
      'trl',
      1,
      { prompts_per_step: 8, generations: 8 },
      { prompts_per_step: 8, generations: 8, gradient_accumulation: 2 },
    ],
    ['predictions, which have none', 'transformers', 1, { batch_size: 50 }, { batch_size: 50 }],
    [
      'nothing halved',
      'llamafactory',
      0,
      { batch_size: 16, gradient_accumulation: 2 },
      { batch_size: 16, gradient_accumulation: 2 },
    ],
  ] as const)('%s', (_name, engine, times, params, expected) => {
    expect(halved(engine, times, params)).toEqual(expected);
  });
});
