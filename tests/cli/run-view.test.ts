import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { describeChanges, nothingTold, questionLines, renderRunView } from '../../cli/views/run-view.ts';
import type { RunView, StageProgress, StageView } from '../../domain/jobs/progress.ts';

const now = new Date('2026-11-23T19:10:00Z');
const plain = { columns: 120, color: false };

const view: RunView = {
  run: 'demo-20261123-190000',
  recipe: 'demo',
  status: 'running',
  stages: [
    { stage: 'dataset', status: 'reused' },
    { stage: 'synthesis', status: 'running', activityId: 'synthesis-a1-make', startedAt: '2026-11-23T19:09:00Z' },
    {
      stage: 'sft',
      status: 'done',
      jobId: '42',
      jobState: 'COMPLETED',
      startedAt: '2026-11-23T19:01:00Z',
      finishedAt: '2026-11-23T19:02:41Z',
    },
    {
      stage: 'grpo',
      status: 'running',
      activityId: 'grpo-a2-watch',
      attempt: 2,
      jobId: '45',
      jobState: 'RUNNING',
      startedAt: '2026-11-23T19:08:00Z',
      note: 'on c1',
    },
    { stage: 'predict-base', status: 'running', jobId: '41', jobState: 'PENDING', note: 'Resources' },
    { stage: 'gate', status: 'pending' },
  ],
  questions: [],
};

const progress: Record<string, StageProgress> = {
  'synthesis-a1-make': {
    state: 'asking',
    done: 80,
    total: 160,
    unit: 'rows',
    usd: 0.27,
    failed: 1,
    perMinute: 78.7,
    etaSeconds: 61,
  },
  'grpo-a2-watch': {
    state: 'RUNNING',
    done: 26,
    total: 60,
    unit: 'steps',
    reward: 1.4123,
    responseLength: 43.14,
    etaSeconds: 72,
    jobId: '45',
  },
};

describe('a run in a TTY', () => {
  it('is one line a stage: mark, name, bar, numbers, ETA, job', () => {
    expect(renderRunView(view, progress, now, plain)).toEqual([
      'run demo-20261123-190000  running',
      '↺ dataset       reused',
      '▶ synthesis     ████████░░░░░░░░  80/160 rows  1 failed  $0.27  79/min  ETA 1:01  1:00',
      '✓ sft           job 42  1:41',
      '▶ grpo          ███████░░░░░░░░░ 26/60 steps  reward 1.412  length 43.1  ETA 1:12  job 45  attempt 2  2:00  on c1',
      '▶ predict-base  job 41  PENDING  Resources',
      '· gate',
    ]);
  });

  it('has no bars and no line wider than a narrow terminal', () => {
    const lines = renderRunView(view, progress, now, { columns: 50, color: false });
    expect(lines[4]).toBe('▶ grpo          26/60 steps  reward 1.412  lengt…');
    expect(lines.every((line) => line.length < 50)).toBe(true);
  });

  it('colours marks without changing what is seen', () => {
    const seen = renderRunView(view, progress, now, { ...plain, color: true }).map((line) =>
      stripVTControlCharacters(line),
    );
    expect(seen).toEqual(renderRunView(view, progress, now, plain));
  });

  it('shows a stage that has only a state yet, and a heartbeat’s note before the stage’s', () => {
    const stage: StageView = { stage: 'mix', status: 'running', activityId: 'mix-a1-make', note: 'old' };
    const live = { 'mix-a1-make': { state: 'hashing', note: 'new' } };
    expect(renderRunView({ ...view, stages: [stage] }, live, now, plain)[1]).toBe('▶ mix           hashing  new');
  });
});

describe('a run in a log', () => {
  const ofGrpo = (done: number): Record<string, StageProgress> => ({
    'grpo-a2-watch': { state: 'RUNNING', done, total: 60, unit: 'steps' },
  });

  it('gets one line an event, and none for what did not change', () => {
    const first = describeChanges(nothingTold, view, progress, now);
    expect(first.lines).toEqual([
      '19:10:00 ↺ dataset  reused',
      '19:10:00 ▶ synthesis  80/160 rows  1 failed  $0.27  79/min  ETA 1:01  1:00',
      '19:10:00 ✓ sft  job 42  1:41',
      '19:10:00 ▶ grpo  26/60 steps  reward 1.412  length 43.1  ETA 1:12  job 45  attempt 2  2:00  on c1',
      '19:10:00 ▶ predict-base  job 41  PENDING  Resources',
    ]);
    expect(describeChanges(first.told, view, progress, now).lines).toEqual([]);
  });

  it('gets live numbers each tenth, or after a minute', () => {
    const { told } = describeChanges(nothingTold, view, ofGrpo(26), now);
    expect(describeChanges(told, view, ofGrpo(29), now).lines).toEqual([]);
    expect(describeChanges(told, view, ofGrpo(30), now).lines).toEqual([
      '19:10:00 ▶ grpo  30/60 steps  job 45  attempt 2  2:00  on c1',
    ]);
    const later = new Date('2026-11-23T19:11:00Z');
    expect(describeChanges(told, view, ofGrpo(27), later).lines).toEqual([
      '19:11:00 ▶ grpo  27/60 steps  job 45  attempt 2  3:00  on c1',
    ]);
    expect(describeChanges(told, view, ofGrpo(26), later).lines).toEqual([]);
  });

  it('gets each of the operator’s questions once, and again none of those that are open still', () => {
    const question = (stage: 'sft' | 'grpo', count: number) => ({
      id: `${stage}-${count}`,
      stage,
      sentence: `${stage}: exit 65.`,
      logTail: '',
      commands: ['critic answer'],
    });
    const lines = (stage: string) => [
      '',
      `The run waits for you (${stage}): ${stage}: exit 65.`,
      '  go on with one of:',
      '    critic answer',
    ];
    const asking: RunView = { ...view, stages: [], questions: [question('sft', 1)] };
    const first = describeChanges(nothingTold, asking, {}, now);
    expect(first.lines).toEqual(lines('sft'));
    const both = { ...asking, questions: [question('sft', 1), question('grpo', 1)] };
    const second = describeChanges(first.told, both, {}, now);
    expect(second.lines).toEqual(lines('grpo'));
    expect(describeChanges(second.told, both, {}, now).lines).toEqual([]);
    const again = { ...asking, questions: [question('grpo', 1), question('sft', 2)] };
    expect(describeChanges(second.told, again, {}, now).lines).toEqual(lines('sft'));
  });
});

describe('the operator’s question', () => {
  it('is shown beside every other that is open, below the stages', () => {
    const open = (['predict-base', 'grpo', 'predict-sft'] as const).map((stage) => ({
      id: `${stage}-1`,
      stage,
      sentence: 'invalid account',
      logTail: '',
      commands: [`critic answer r ${stage} retry`],
    }));
    const lines = renderRunView({ ...view, stages: [], status: 'waiting', questions: open }, {}, now, plain);
    for (const { stage, commands } of open) {
      expect(lines).toContain(`The run waits for you (${stage}): invalid account`);
      expect(lines).toContain(`    ${commands[0]}`);
    }
  });

  it('is wrapped and not cut where the terminal is narrow; only lines of its log are cut', () => {
    const sentence = 'the trainer exited with 70 (a bug in the trainer). It happened 2 times.';
    const question = { id: 'sft-1', stage: 'sft' as const, sentence, logTail: 'x'.repeat(99), commands: ['a'] };
    const asking: RunView = { ...view, stages: [], status: 'waiting', questions: [question] };
    const lines = renderRunView(asking, {}, now, { columns: 60, color: false });
    expect(lines.slice(2)).toEqual([
      'The run waits for you (sft): the trainer exited with 70 (a',
      'bug in the trainer). It happened 2 times.',
      '  the end of its log:',
      `  | ${'x'.repeat(54)}…`,
      '  go on with one of:',
      '    a',
    ]);
  });

  it('says what to do about a failure whose type tells it', () => {
    const question = { id: 'mix-1', stage: 'mix', sentence: 'EROFS', logTail: '', commands: ['a'] } as const;
    expect(questionLines({ ...question, commands: ['a'], remedy: 'Change the mount.' })).toEqual([
      '',
      'The run waits for you (mix): EROFS',
      '  what to do: Change the mount.',
      '  go on with one of:',
      '    a',
    ]);
  });

  it('shows why, the last twelve lines of the log, and the commands', () => {
    const log = Array.from({ length: 14 }, (_, index) => `line ${index}`).join('\n');
    const lines = questionLines({
      id: 'grpo-1',
      stage: 'grpo',
      sentence: 'grpo: no steps.',
      logTail: log,
      commands: ['a', 'b'],
    });
    expect(lines).toHaveLength(18);
    expect(lines.slice(1, 4)).toEqual([
      'The run waits for you (grpo): grpo: no steps.',
      '  the end of its log:',
      '  | line 2',
    ]);
    expect(lines.slice(-3)).toEqual(['  go on with one of:', '    a', '    b']);
  });

  it('passes no escape sequence of a job’s log on to the terminal', () => {
    const logTail = '\u001B[2J\u001B]0;title\u0007red\u0000\n10%\r20%\r30%\r\n';
    const lines = questionLines({ id: 'grpo-1', stage: 'grpo', sentence: 's', logTail, commands: [] });
    expect(lines.slice(3, 5)).toEqual(['  | red', '  | 30%']);
  });
});
