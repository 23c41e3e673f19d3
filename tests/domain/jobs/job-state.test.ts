/** From one attempt to the next. */
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../../domain/jobs/failure-policy.ts';
import type { EngineName } from '../../../domain/engines/registry.ts';
import { type AttemptChanges, type Engine, firstAttempt, type JobOrder } from '../../../domain/jobs/job-spec.ts';
import type { OperatorAnswer } from '../../../domain/operator-answer.ts';
import { differsBy, futile, knownFrom } from '../../../domain/jobs/job-state.ts';

type Part = Pick<JobOrder, 'stage' | 'engine' | 'params'> & { memory?: number };

function order({ stage, engine, params, memory }: Part): JobOrder {
  const resources = {
    nodes: 1,
    gpus_per_node: 1,
    cpus: 1,
    time_limit_minutes: 5,
    exclude_nodes: [],
    ...(memory === undefined ? {} : { memory_mib: memory }),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { stage, engine, params, resources } as unknown as JobOrder;
}

const by = (name: EngineName): Engine => ({ name, versions: {} });
const sft = { stage: 'sft', engine: by('llamafactory'), params: { batch_size: 4, gradient_accumulation: 2 } } as const;
const grpo = { stage: 'grpo', engine: by('trl'), params: { prompts_per_step: 2, generations: 3 } } as const;
const predict = { stage: 'predict-sft', engine: by('transformers'), params: { split: 'test', batch_size: 8 } } as const;
const halve = { halveMicroBatch: true };

describe('futile', () => {
  it.each<[string, Part, Partial<AttemptChanges>, Decision['changes'], string | undefined]>([
    ['more memory of some', { ...sft, memory: 1000 }, {}, { memoryFactor: 1.5 }, undefined],
    ['more memory of none', sft, {}, { memoryFactor: 1.5 }, 'the recipe gives sft no resources.memory_mib'],
    ['half of four', sft, {}, halve, undefined],
    ['half of two', sft, { microBatchHalvings: 1 }, halve, undefined],
    [
      'half of one',
      sft,
      { microBatchHalvings: 2 },
      halve,
      'its micro-batch cannot be halved any further (2 halvings so far)',
    ],
    ['half of three', { ...sft, params: { batch_size: 3, gradient_accumulation: 1 } }, {}, halve, 'cannot be halved'],
    ['half of six answers', grpo, {}, halve, undefined],
    ['half of three answers', grpo, { microBatchHalvings: 1 }, halve, 'cannot be halved'],
    ['half of predictions', predict, {}, halve, 'predictions are not made in micro-batches'],
    ['no remedy', predict, {}, undefined, undefined],
  ])('%s', (_name, part, changes, remedy, expected) => {
    const decision: Decision = {
      action: 'retry',
      resume: true,
      excludeNodes: [],
      why: '',
      ...(remedy && { changes: remedy }),
    };
    const why = futile(order(part), { ...firstAttempt, ...changes }, decision);
    expect(why === undefined).toBe(expected === undefined);
    expect(why ?? '').toContain(expected ?? '');
  });
});

describe('knownFrom', () => {
  it('keeps each sentence that was shown, once, also when the job is free again', () => {
    const pending = { state: 'PENDING', reason: '', node: '', over: false };
    const held = knownFrom({ ...pending, stuck: 'held' }, { state: 'PENDING', told: [] });
    expect(held).toEqual({ state: 'PENDING', stuck: 'held', told: ['held'] });
    const free = knownFrom(pending, held);
    expect(free).toEqual({ state: 'PENDING', told: ['held'] });
    expect(knownFrom({ ...pending, stuck: 'held' }, free).told).toEqual(['held']);
  });
});

describe('what is wanted of the next attempt', () => {
  const resources = { partition: 'a100', time_limit_minutes: 10, exclude_nodes: ['n9'] };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more is looked at
  const given = { resources } as unknown as JobOrder;
  const had: AttemptChanges = { ...firstAttempt, excludeNodes: ['n1'], microBatchHalvings: 1, memoryFactor: 2 };

  it.each<[Partial<OperatorAnswer>, boolean]>([
    [{ partition: 'a100' }, false],
    [{ partition: 'h200' }, true],
    [{ timeLimitMinutes: 10 }, false],
    [{ timeLimitMinutes: 11 }, true],
    [{ excludeNodes: ['n1', 'n9'] }, false],
    [{ excludeNodes: ['n2'] }, true],
    [{ allowNodes: ['n2'] }, false],
    [{ allowNodes: ['n9'] }, true],
    [{ allowNodes: ['n1'] }, true],
    [{ microBatchHalvings: 1 }, false],
    [{ microBatchHalvings: 0 }, true],
    [{ memoryFactor: 2 }, false],
    [{ memoryFactor: 1 }, true],
    [{ qos: 'high' }, true],
    [{ partition: 'a100', qos: 'high' }, true],
  ])('%j is a change: %s', (wanted, is) => {
    expect(differsBy(given, had, { stage: 'sft', action: 'retry', ...wanted })).toBe(is);
  });
});
