/** Examination: names, requests, and which findings are a problem. */
import { describe, expect, it } from 'vitest';
import {
  examinationName,
  type ExaminationOrder,
  type NodeFindings,
  problemsOf,
  renderExamination,
} from '../../domain/examination.ts';
import { parseAttemptName } from '../../domain/names.ts';

const order: ExaminationOrder = {
  id: '20261128-190000',
  partition: 'a100',
  account: undefined,
  qos: undefined,
  nodes: 2,
  gpusPerNode: 8,
  gpuType: 'a100',
  cpus: 16,
  model: undefined,
  waitSeconds: 60,
};
const gpu = { name: 'NVIDIA A100-SXM4-80GB', memory_mib: 81_920 };
const node: NodeFindings = {
  host: 'n1',
  cpus: 16,
  memory_mib: 1000,
  shm_mib: 100,
  gpus: { found: Array.from({ length: 8 }, () => gpu), driver: '550.54', error: null },
  environments: [{ engines: ['trl'], python: '/p', seconds: 3, error: null }],
  store: { write_mib_s: 900, read_mib_s: 1000, free_mib: 5, error: null },
  model: null,
};
const collective = { backend: 'nccl', ranks: 16, gib_s: 100, error: null };
const nodes = [node, { ...node, host: 'n2' }];

describe('an examination', () => {
  it('has a job that the reaper never takes for an attempt', () => {
    expect(parseAttemptName(examinationName(order))).toBeUndefined();
    expect(parseAttemptName(examinationName({ ...order, partition: 'x-sft-a1' }))).toBeUndefined();
    expect(() => examinationName({ ...order, partition: '../x' })).toThrow('no name of a job');
  });

  it('asks for nodes and GPUs, with one process for each GPU, and for one where there is none', () => {
    const around = { environment: { python: '/p' }, directory: '/d', trainer: '/code/a' };
    expect(renderExamination(order, around)).toMatchObject({
      nodes: 2,
      gpus: { type: 'a100', countPerNode: 8 },
      environment: { CRITIC_RANKS_PER_NODE: '8', CRITIC_TRAINER: '/code/a' },
    });
    const onCpu = renderExamination({ ...order, gpusPerNode: 0 }, around);
    expect(onCpu.gpus).toBeUndefined();
    expect(onCpu.environment).toMatchObject({ CRITIC_RANKS_PER_NODE: '1' });
  });

  it('of nodes that have all that was asked for finds no problem', () => {
    expect(problemsOf(order, nodes, collective)).toEqual([]);
  });

  it.each<[string, Partial<NodeFindings>, RegExp]>([
    ['fewer GPUs', { gpus: { ...node.gpus, found: [gpu] } }, /n1: 1 of 8 GPUs are there/],
    ['no driver', { gpus: { found: [], driver: null, error: 'no nvidia-smi' } }, /n1: GPUs: no nvidia-smi/],
    [
      'a package that does not load',
      { environments: [{ engines: ['verl'], python: '/v', seconds: 1, error: 'no libcuda' }] },
      /n1: \/v cannot import verl: no libcuda/,
    ],
    ['a store that is read-only', { store: { ...node.store, error: 'EROFS' } }, /n1: store: EROFS/],
    ['a model that is cut', { model: { path: '/m', files: 0, mib: 0, error: 'cut' } }, /n1: model \/m: cut/],
  ])('of a node with %s is a problem', (_what, changes, message) => {
    const problems = problemsOf(order, [{ ...node, ...changes }, ...nodes.slice(1)], collective);
    expect(problems).toEqual([expect.stringMatching(message)]);
  });

  it('says once what is wrong on many nodes', () => {
    const many = Array.from({ length: 5 }, (_, index) => ({
      ...node,
      host: `n${index}`,
      store: { ...node.store, error: 'EROFS' },
    }));
    expect(problemsOf({ ...order, nodes: 5 }, many, collective)).toEqual(['n0, n1, n2 and 2 more: store: EROFS']);
  });

  it('misses nodes and an all-reduce', () => {
    expect(problemsOf(order, [node], null)).toEqual([
      '1 of 2 nodes answered',
      'the processes did not come together for an all-reduce',
    ]);
    expect(problemsOf(order, nodes, { ...collective, gib_s: null, error: 'timeout' })).toEqual([
      'all-reduce by nccl: timeout',
    ]);
  });
});
