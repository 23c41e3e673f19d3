/** A run that somebody stops, and what a narrow terminal must not spoil. */
import { describe, expect, it } from 'vitest';
import { describeChanges, nothingTold, questionLines, renderRunView } from '../../cli/views/run-view.ts';
import type { RunView, StageView } from '../../domain/jobs/progress.ts';

const now = new Date('2026-11-23T19:10:00Z');
const plain = { columns: 120, color: false };
const view: RunView = {
  run: 'demo-20261123-190000',
  recipe: 'demo',
  status: 'running',
  stages: [{ stage: 'sft', status: 'running', jobId: '7', jobState: 'RUNNING' }],
  questions: [],
};

describe('a run that somebody stops', () => {
  const paused = { since: '2026-11-23T19:05:30.000Z', by: 'ada', note: 'the GPUs\nare needed' };
  const unpause = '    npm run critic -- unpause demo-20261123-190000';

  it('says at once that it pauses, by whom and why, and how it goes on', () => {
    expect(renderRunView({ ...view, paused }, {}, now, plain).slice(0, 3)).toEqual([
      'run demo-20261123-190000  pausing',
      '  jobs save a checkpoint and end; since 2026-11-23 19:05 UTC by ada: the GPUs; are needed',
      unpause,
    ]);
    const rests = { ...view, status: 'paused', paused: { since: paused.since } } as const;
    expect(renderRunView(rests, {}, now, plain).slice(0, 3)).toEqual([
      'run demo-20261123-190000  paused',
      '  since 2026-11-23 19:05 UTC',
      unpause,
    ]);
  });

  it('does not say that a job which saved a checkpoint and ended has FAILED', () => {
    const stage: StageView = {
      stage: 'sft',
      status: 'paused',
      jobId: '7',
      jobState: 'FAILED',
      note: 'attempt 1 ended: the run was paused',
    };
    const [, , , line] = renderRunView({ ...view, status: 'paused', paused, stages: [stage] }, {}, now, plain);
    expect(line).toBe('‖ sft           paused  job 7  attempt 1 ended: the run was paused');
  });

  it('says so in a log once, and that it goes on', () => {
    const stops: RunView = { ...view, stages: [], cancelling: true };
    const first = describeChanges(nothingTold, { ...view, stages: [], paused }, {}, now);
    expect(first.lines).toEqual([expect.stringMatching(/^19:10:00 pausing: .*: the GPUs; are needed$/), unpause]);
    expect(describeChanges(first.told, { ...view, stages: [], paused }, {}, now).lines).toEqual([]);
    expect(describeChanges(first.told, { ...view, stages: [] }, {}, now).lines).toEqual([
      '19:10:00 the run is no longer pausing',
    ]);
    expect(describeChanges(nothingTold, stops, {}, now).lines).toEqual([
      '19:10:00 cancelling: its jobs are ended, then the run',
    ]);
    expect(renderRunView({ ...stops, status: 'cancelled' }, {}, now, plain)).toEqual([
      'run demo-20261123-190000  cancelled',
    ]);
  });
});

describe('an activity that is tried again', () => {
  it('is named with its reason also while a try goes on, of which the run was told', () => {
    const trouble = { why: 'no answer\nfrom slurmrestd', at: '2026-11-23T19:05:30.000Z' };
    const stage: StageView = { stage: 'sft', status: 'running', trouble };
    expect(renderRunView({ ...view, stages: [stage] }, {}, now, plain)[1]).toBe(
      '▶ sft           tried again after: no answer; from slurmrestd',
    );
    const first = describeChanges(nothingTold, { ...view, stages: [stage] }, {}, now);
    expect(first.lines).toEqual(['19:10:00 ▶ sft  tried again after: no answer; from slurmrestd']);
    expect(describeChanges(first.told, { ...view, stages: [stage] }, {}, now).lines).toEqual([]);
  });
});

describe('a narrow terminal', () => {
  const narrow = { columns: 40, color: false };

  it('neither wraps nor cuts a command, which is to be copied', () => {
    const command = `npm run critic -- answer ${view.run} predict-base retry --question predict-base-1`;
    const question = {
      id: 'predict-base-1',
      stage: 'predict-base',
      sentence: 'exit 65.',
      logTail: '',
      commands: [command],
    } as const;
    const asking: RunView = {
      ...view,
      stages: [],
      status: 'waiting',
      questions: [{ ...question, commands: [command] }],
    };
    expect(renderRunView(asking, {}, now, narrow)).toContain(`    ${command}`);
  });

  it('has each fault of a sentence with several on a line of its own', () => {
    const question = {
      id: 'dataset-1',
      stage: 'dataset',
      sentence: 'two faults:\n  row 3: no score\n  row 4: no image',
      logTail: '',
    } as const;
    const lines = questionLines({ ...question, commands: [] });
    expect(lines.slice(1, 4)).toEqual([
      'The run waits for you (dataset): two faults:',
      '  row 3: no score',
      '  row 4: no image',
    ]);
  });

  it('says whole, below its line, why a stage waits or has failed, unless a question says it', () => {
    const note = 'Slurm holds the job: the account is not allowed in this partition, ask its administrators';
    const stage: StageView = { stage: 'sft', status: 'waiting', jobId: '7', note };
    const lines = renderRunView({ ...view, status: 'waiting', stages: [stage] }, {}, now, narrow);
    expect(lines.slice(2).join('').replaceAll(/ +/g, ' ').trim()).toBe(note);
    const question = { id: 'sft-1', stage: 'sft', sentence: note, logTail: '', commands: [] } as const;
    const asking: RunView = { ...view, stages: [stage], questions: [{ ...question, commands: [] }] };
    expect(renderRunView(asking, {}, now, narrow)[2]).toBe('');
  });
});
