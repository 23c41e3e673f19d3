/** What may be said to a run that waits. */
import { describe, expect, it } from 'vitest';
import { type Answerable, answerFault, matchAnswer, type OperatorAnswer } from '../../domain/operator-answer.ts';

const retry = { stage: 'sft', action: 'retry' };

describe('answerFault', () => {
  it.each<[string, unknown]>([
    ['a retry', retry],
    ['a skip of predictions', { stage: 'predict-sft', action: 'skip' }],
    [
      'nodes, minutes and memory',
      { ...retry, excludeNodes: ['n1', 'gpu-07.cluster'], timeLimitMinutes: 1, memoryFactor: 0.5 },
    ],
    ['no nodes at all', { ...retry, excludeNodes: [] }],
    ['a cap for synthesis', { stage: 'synthesis', action: 'retry', budgetUsd: 12.5 }],
    ['the question and who answered', { ...retry, question: 'sft-3', by: 'ada' }],
    ['fields that are undefined', { ...retry, memoryFactor: undefined }],
  ])('takes %s', (_name, answer) => {
    expect(answerFault(answer)).toBeUndefined();
  });

  it.each<[string, unknown, string]>([
    ['no object', 'retry', 'answer: expected {"stage", "action", …}, got "retry"'],
    ['a list', [retry], 'answer: expected {"stage", "action", …}, got [{"stage":"sft","action":"retry"}]'],
    ['nothing', undefined, 'answer: expected {"stage", "action", …}, got nothing'],
    ['no stage', { action: 'retry' }, 'got nothing'],
    ['an unknown stage', { ...retry, stage: 'rlhf' }, 'answer.stage: expected one of dataset, synthesis'],
    ['an unknown action', { ...retry, action: 'RETRY' }, 'answer.action: expected retry, skip or abort, got "RETRY"'],
    ['an unknown key', { ...retry, minutes: 5 }, 'answer.minutes: unknown key'],
    ['nodes as one text', { ...retry, excludeNodes: 'n1,n2' }, 'answer.excludeNodes: expected'],
    ['a list of nodes in one name', { ...retry, excludeNodes: ['n1,n2'] }, 'answer.excludeNodes: expected'],
    ['a node of line breaks', { ...retry, excludeNodes: ['n1\n'] }, 'answer.excludeNodes: expected'],
    ['a node that is a number', { ...retry, excludeNodes: [1] }, 'answer.excludeNodes: expected'],
    [
      'too many nodes',
      { ...retry, excludeNodes: Array.from({ length: 1001 }, () => 'n') },
      'expected at most 1000 names',
    ],
    ['minutes as text', { ...retry, timeLimitMinutes: '30' }, 'answer.timeLimitMinutes: expected a whole number'],
    ['half a minute', { ...retry, timeLimitMinutes: 0.5 }, 'answer.timeLimitMinutes'],
    ['no minutes', { ...retry, timeLimitMinutes: 0 }, 'answer.timeLimitMinutes'],
    ['more than a year', { ...retry, timeLimitMinutes: 525_601 }, 'from 1 to 525600, got 525601'],
    [
      'a factor of 0',
      { ...retry, memoryFactor: 0 },
      'answer.memoryFactor: expected a number above 0, at most 64, got 0',
    ],
    ['a factor that is no number', { ...retry, memoryFactor: NaN }, 'got NaN'],
    ['a factor beyond sense', { ...retry, memoryFactor: 65 }, 'answer.memoryFactor'],
    ['a cap for a job', { ...retry, budgetUsd: 5 }, 'answer.budgetUsd: is for synthesis, not for stage'],
    ['a cap of null', { stage: 'synthesis', action: 'retry', budgetUsd: null }, 'got null'],
    [
      'nodes for what is no job',
      { stage: 'mix', action: 'retry', excludeNodes: ['n1'] },
      'is for jobs, and stage "mix" is no job',
    ],
    ['minutes with an abort', { ...retry, action: 'abort', timeLimitMinutes: 5 }, 'goes with retry, not with abort'],
    ['an empty question', { ...retry, question: '' }, 'answer.question: expected 1 to 200 characters, got ""'],
  ])('refuses %s', (_name, answer, sentence) => {
    expect(answerFault(answer)).toContain(sentence);
  });

  it('says no more than 200 characters of what was sent', () => {
    const fault = answerFault({ ...retry, by: 'x'.repeat(1_000_000) });
    expect(fault?.length).toBeLessThan(300);
  });
});

describe('matchAnswer', () => {
  const open: Answerable[] = [
    { id: 'grpo-2', stage: 'grpo', canSkip: false },
    { id: 'predict-sft-1', stage: 'predict-sft', canSkip: true, noMemoryFactor: 'there is nothing to multiply' },
  ];
  it.each<[string, OperatorAnswer, string]>([
    ['the stage suffices', { stage: 'grpo', action: 'retry' }, 'grpo-2'],
    ['an id as well', { stage: 'predict-sft', question: 'predict-sft-1', action: 'skip' }, 'predict-sft-1'],
    ['more memory where there is some to multiply', { stage: 'grpo', action: 'retry', memoryFactor: 2 }, 'grpo-2'],
  ])('%s', (_name, answer, id) => {
    expect(matchAnswer(answer, open)).toMatchObject({ question: { id } });
  });

  it.each<[string, OperatorAnswer, string]>([
    [
      'a closed one',
      { stage: 'grpo', question: 'grpo-1', action: 'abort' },
      'question "grpo-1" of stage "grpo" is not open',
    ],
    ['another stage’s', { stage: 'grpo', question: 'predict-sft-1', action: 'retry' }, 'is not open'],
    ['a stage that does not ask', { stage: 'sft', action: 'retry' }, 'it asks grpo-2, predict-sft-1'],
    ['a skip of what is needed', { stage: 'grpo', action: 'skip' }, 'stage "grpo" cannot be skipped'],
    ['memory without any', { stage: 'predict-sft', action: 'retry', memoryFactor: 2 }, 'there is nothing to multiply'],
  ])('refuses %s', (_name, answer, fault) => {
    expect(matchAnswer(answer, open)).toEqual({ fault: expect.stringContaining(fault) });
  });
});
