import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { answerView } from '../../cli/commands/answer.ts';
import { cancelView } from '../../cli/commands/cancel.ts';
import { critic, fakeServer } from './fakes.ts';

describe('answer', () => {
  it('sends what was typed and prints what the run says to it', async () => {
    const server = fakeServer({ r: { update: () => 'sft: retried' } });
    const flags = '--question sft-1 --exclude n1,n2 --minutes 30 --memory-factor 1.5'.split(' ');
    expect(await critic(['answer', 'r', 'sft', 'retry', ...flags], server)).toEqual({
      code: 0,
      out: 'sft: retried\n',
      err: '',
    });
    const sent = {
      stage: 'sft',
      action: 'retry',
      question: 'sft-1',
      excludeNodes: ['n1', 'n2'],
      timeLimitMinutes: 30,
      memoryFactor: 1.5,
    };
    expect(server.calls).toEqual([`answer r ${JSON.stringify(sent)}`, 'close']);
  });

  it('prints JSON with --json', async () => {
    const { out } = await critic(
      ['answer', 'r', 'synthesis', 'retry', '--budget', '3', '--json'],
      fakeServer({ r: {} }),
    );
    expect(answerView.schema.parse(JSON.parse(out))).toEqual({
      run: 'r',
      stage: 'synthesis',
      action: 'retry',
      said: 'taken',
    });
  });

  it.each<[string[], string]>([
    [['sft', 'retry', '--minutes', '0'], 'critic: --minutes: expected a whole number from 1 to 525600, got 0'],
    [
      ['sft', 'retry', '--memory-factor', '65'],
      'critic: --memory-factor: expected a number above 0, at most 64, got 65',
    ],
    [['sft', 'retry', '--budget', '5'], 'critic: --budget: is for synthesis, not for stage "sft"'],
    [['sft', 'abort', '--exclude', 'n1'], 'critic: --exclude: goes with retry, not with abort'],
    [['mix', 'retry', '--minutes', '5'], 'critic: --minutes: is for jobs, and stage "mix" is no job'],
    [['sft', 'retry', '--question', ''], 'critic: --question: expected 1 to 200 characters, got ""'],
    [['sft', 'retry', '--exclude', 'n 1'], 'critic: --exclude: expected at most 1000 names of nodes'],
    [
      ['sft', 'retry', '--exclude', 'n1,,n2'],
      'expected names of nodes with commas between, such as n1,n2, got "n1,,n2"',
    ],
    [['sft', 'retry', '--exclude', ''], 'expected names of nodes with commas between, such as n1,n2, got ""'],
    [['rlhf', 'retry'], 'expected one of dataset, synthesis'],
    [['sft', 'try'], 'expected retry, skip or abort, got "try"'],
  ])('connects to nothing and names what was typed: %j', async (argv, sentence) => {
    const { code, out, err } = await critic(['answer', 'r', ...argv]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(sentence);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('exits with 1 and the validator’s sentence for an answer that the run refuses', async () => {
    const refuse = () => {
      throw new WorkflowUpdateFailedError(
        'Update failed',
        ApplicationFailure.create({ message: 'the run asks nothing' }),
      );
    };
    const ended = await critic(['answer', 'r', 'sft', 'retry'], fakeServer({ r: { update: refuse } }));
    expect(ended).toMatchObject({ code: 1, err: 'critic: the run asks nothing\n' });
  });

  it('calls what the run refuses by the flag that was typed', async () => {
    const message =
      'answer.excludeNodes: expected nodes of the cluster (n0), got "n7"; answer.qos: no; answer.other: x';
    const refuse = () => {
      throw new WorkflowUpdateFailedError('Update failed', ApplicationFailure.create({ message }));
    };
    const ended = await critic(['answer', 'r', 'sft', 'retry'], fakeServer({ r: { update: refuse } }));
    expect(ended.err).toBe(
      'critic: --exclude: expected nodes of the cluster (n0), got "n7"; --qos: no; answer.other: x\n',
    );
  });

  it('says that the run ended while it was asked whether the answer may be taken', async () => {
    const end = () => {
      const type = 'AcceptedUpdateCompletedWorkflow';
      throw new WorkflowUpdateFailedError(
        'failed',
        ApplicationFailure.create({ message: 'the Workflow completed', type }),
      );
    };
    const { err } = await critic(['answer', 'r', 'sft', 'retry'], fakeServer({ r: { update: end } }));
    expect(err).toBe('critic: run r: it ended before it took this up; "critic status r" tells how\n');
  });

  it.each([
    ['COMPLETED', 'see "critic status r"'],
    ['TERMINATED', 'it can be resumed: npm run critic -- resume r'],
  ])('says that the run is over, and what then: %s', async (status, then) => {
    const ended = await critic(['answer', 'r', 'sft', 'retry'], fakeServer({ r: { status } }));
    expect(ended).toMatchObject({
      code: 1,
      err: `critic: run r: expected one that waits, got one that has ended (${status}); ${then}\n`,
    });
  });
});

describe('cancel', () => {
  it('asks the run to end, and says how to see it end', async () => {
    const server = fakeServer({ r: {} });
    const { code, out } = await critic(['cancel', 'r'], server);
    expect({ code, out }).toEqual({
      code: 0,
      out: 'asked run r to cancel its jobs and end; watch it with: npm run critic -- watch r\n',
    });
    expect(server.calls).toEqual(['cancel r', 'close']);
  });

  const poller = (secondsAgo: number) => ({ lastAccessTime: { seconds: Math.floor(Date.now() / 1000) - secondsAgo } });
  it.each<[string, object[] | Error, RegExp]>([
    [
      'none has asked',
      [],
      /^no worker asks for work: run r ends, and its jobs with it, once one is back; start one .*\n$/,
    ],
    [
      'the last has died',
      [poller(90)],
      /^no worker has asked for work for 9[0-3] s: run r ends, .* once one is back; /,
    ],
    ['one asks', [poller(20), poller(90)], /^$/],
    ['Temporal does not tell', Object.assign(new Error('denied'), { code: 7, details: '', metadata: {} }), /^$/],
  ])('says that a run waits for a worker where %s', async (_what, pollers, said) => {
    const server = fakeServer({ r: {} });
    const describeTaskQueue = async () => (pollers instanceof Error ? Promise.reject(pollers) : { pollers });
    Object.assign(server.client.workflowService, { describeTaskQueue });
    const { code, err } = await critic(['cancel', 'r', '--json'], server);
    expect({ code, calls: server.calls }).toEqual({ code: 0, calls: ['cancel r', 'close'] });
    expect(err).toMatch(said);
  });

  it('prints JSON with --json', async () => {
    const { out } = await critic(['cancel', 'r', '--json'], fakeServer({ r: { status: 'PAUSED' } }));
    expect(cancelView.schema.parse(JSON.parse(out))).toEqual({ run: 'r', status: 'cancelling' });
  });

  it('cancels nothing that is over, unknown, or no run', async () => {
    const server = fakeServer({ over: { status: 'COMPLETED' }, reaper: { type: 'reapOrphans' } });
    for (const [run, sentence] of [
      ['over', 'got one that has ended (COMPLETED)'],
      ['nope', 'expected the id of a run'],
      ['reaper', 'got a workflow of type reapOrphans'],
    ] as const) {
      const { code, err } = await critic(['cancel', run], server);
      expect(code).toBe(1);
      expect(err).toContain(sentence);
    }
    expect(server.calls).toEqual(['close', 'close', 'close']);
  });
});
