/** What `logs`, `metrics` and `checkpoints` read of a run, through the activity that answers them. */
import { appendFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { logsView } from '../../cli/commands/reading/attempt-logs.ts';
import { followLogs } from '../../cli/commands/reading/follow-logs.ts';
import { checkpointsView } from '../../cli/commands/reading/checkpoints.ts';
import { metricsView } from '../../cli/commands/reading/metrics.ts';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import { paths } from '../../domain/names.ts';
import { type AskedStore, askedStore, leaveAttempt, leavePlan } from './asked-store.ts';
import { critic, onTerminal } from './fakes.ts';

const run = 'demo-20261128-190000';
let at: AskedStore;
beforeEach(async () => {
  at = await askedStore();
  at.knows(run);
});
const typed = (...argv: string[]) => critic(argv, at.server);

describe('logs', () => {
  it('have all attempts of the newest stage, each with its job and how it ended', async () => {
    await leaveAttempt(at, run, 'sft', 1, { log: 'old stage\n', exitCode: 0 });
    await leaveAttempt(at, run, 'grpo', 2, { log: 'first\n', exitCode: 85 });
    await leaveAttempt(at, run, 'grpo', 3, { log: 'second\nhalf' });
    const { code, out } = await typed('logs', run);
    expect(code).toBe(0);
    expect(out).toBe(
      '==> grpo attempt 2, job 2 on n1, exit 85 (it saved a checkpoint; the next attempt goes on from there) <==\nfirst\n==> grpo attempt 3, job 3 <==\nsecond\nhalf\n',
    );
    expect((await typed('logs', run, 'sft')).out).toContain('old stage');
    expect((await typed('logs', run)).err).toBe(`Also: critic logs ${run} sft\n`);
    expect((await typed('logs', run, '--json')).err).toBe('');
    expect((await typed('logs', run, 'grpo', '--attempt', '2')).out).not.toContain('second');
    const json: unknown = JSON.parse((await typed('logs', run, '--json')).out);
    expect(logsView.schema.parse(json)).toMatchObject([
      { stage: 'grpo', attempt: 2, exitCode: 85, text: 'first\n' },
      { attempt: 3, exitCode: null, left: 0, text: 'second\nhalf' },
    ]);
  });

  it('have the last 16 KiB, or all of it in pages', async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `line ${index} ${'é'.repeat(3)}\n`);
    await leaveAttempt(at, run, 'sft', 1, { log: lines.join(''), exitCode: 0 });
    const { out } = await typed('logs', run);
    expect(out).toMatch(/^==> .*\n… [\d.]+ KiB before; --all prints them\n/);
    expect(out.length).toBeLessThan(17_000);
    expect(out.endsWith('line 4999 ééé\n')).toBe(true);
    const all = await typed('logs', run, '--all');
    expect(all.out.split('\n').slice(1).join('\n')).toBe(lines.join(''));
  });

  it('stay below the bound of a reply, whatever a job prints, and cannot move the cursor', async () => {
    const evil = `\u001B[2J\u0000\u0007ok\r50 %\r100 %\n${'\u001B'.repeat(40_000)}\n`;
    await leaveAttempt(at, run, 'sft', 1, { log: evil, exitCode: 0 });
    const { code, out } = await typed('logs', run, '--all');
    expect(code).toBe(0);
    // oxlint-disable-next-line no-control-regex
    expect(out).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F]/);
    expect(out.split('\n')[1]).toBe('100 %');
  });

  it('do not follow a link that a job has put in the place of its log', async () => {
    const folder = await leaveAttempt(at, run, 'sft', 1, { exitCode: 0 });
    await symlink('/etc/passwd', join(folder, 'job.log'));
    expect((await typed('logs', run)).out).toContain('(nothing yet)');
  });

  it.each([
    [['logs', run], 'no job has begun: it has not begun, or was reused'],
    [['logs', 'nobody'], 'has no such run'],
    [['logs', run, 'dataset'], 'expected a stage with a job'],
    [['logs', run, '-f', '--json'], '--json: expected no -f beside it'],
  ])('%j is refused in one sentence', async (argv, sentence) => {
    const { code, err, out } = await typed(...argv);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(sentence);
  });

  it('name the attempts that there are', async () => {
    await leaveAttempt(at, run, 'sft', 1, { log: 'x\n' });
    expect((await typed('logs', run, 'sft', '--attempt', '4')).err).toContain('expected one of stage sft (1), got 4');
  });

  it('are followed across attempts, line by line and each line once, to the end of the run', async () => {
    const first = await leaveAttempt(at, run, 'sft', 1, { log: 'a\nb\n' });
    let looks = 0;
    at.knows(run, { status: () => ((looks += 1) > 4 ? 'COMPLETED' : 'RUNNING') });
    const texts: string[] = [];
    const steps = [
      () => appendFile(join(first, 'job.log'), 'c\nhal'),
      () => appendFile(join(first, 'job.log'), 'f\n'),
      () => leaveAttempt(at, run, 'sft', 2, { log: 'resumed\nend', exitCode: 0 }),
    ];
    await followLogs(
      at.server.client,
      { run, stage: undefined, attempt: undefined, all: false },
      {
        write: (text) => {
          texts.push(text);
          void steps.shift()?.();
        },
        note: () => undefined,
        pauseMs: 10,
      },
    );
    const text = texts.join('');
    expect(text.match(/^(?:a|b|c|half|resumed|end)$/gm)).toEqual(['a', 'b', 'c', 'half', 'resumed', 'end']);
    expect(text).toContain('==> sft attempt 2, job 2');
  }, 60_000);

  it('are followed from stage to stage, also of two at once, and of one stage where only that is wanted', async () => {
    const follow = async (stage: 'sft' | undefined) => {
      const [texts, notes]: [string[], string[]] = [[], []];
      let looks = 0;
      at.knows(run, { status: () => ((looks += 1) > 6 ? 'COMPLETED' : 'RUNNING') });
      const steps = [
        () => leaveAttempt(at, run, 'predict-base', 1, { log: 'predicting\n' }),
        () => leaveAttempt(at, run, 'sft', 1, { log: 'a\nb\n', exitCode: 0 }),
        () => leaveAttempt(at, run, 'grpo', 1, { log: 'rewards\n', exitCode: 0 }),
        () => leaveAttempt(at, run, 'predict-base', 1, { log: 'predicting\ndone\n', exitCode: 0 }),
      ];
      const step = () => void steps.shift()?.();
      await followLogs(
        at.server.client,
        { run, stage, attempt: undefined, all: false },
        { write: (text) => (texts.push(text), step()), note: (sentence) => notes.push(sentence), pauseMs: 10 },
      );
      return { text: texts.join(''), notes };
    };
    await leaveAttempt(at, run, 'sft', 1, { log: 'a\n' });
    const { text } = await follow(undefined);
    for (const line of ['a', 'b', 'predicting', 'rewards', 'done']) {
      expect(text.match(new RegExp(`^${line}$`, 'gm'))).toHaveLength(1);
    }
    // Whose lines follow is said each time that it changes.
    const heads = [...text.matchAll(/^==> (\S+)|^(done|rewards)$/gm)].map((match) => match[1] ?? match[2]);
    expect(heads[heads.indexOf('rewards') - 1]).toBe('grpo');
    expect(heads[heads.indexOf('done') - 1]).toBe('predict-base');
    expect((await follow('sft')).text).toMatch(/^==> sft attempt 1, job 1 on n1, exit 0 <==\na\nb\n$/);
  }, 60_000);

  it('are waited for where no job has begun, and that is said', async () => {
    const notes: string[] = [];
    const texts: string[] = [];
    let looks = 0;
    at.knows(run, { status: () => ((looks += 1) > 3 ? 'COMPLETED' : 'RUNNING') });
    await followLogs(
      at.server.client,
      { run, stage: undefined, attempt: undefined, all: false },
      {
        write: (text) => texts.push(text),
        note: (sentence) => {
          notes.push(sentence);
          void leaveAttempt(at, run, 'sft', 1, { log: 'begun\n' });
        },
        pauseMs: 10,
      },
    );
    expect(notes).toEqual(['no job has begun: waiting …']);
    expect(texts.join('')).toBe('==> sft attempt 1, job 1 <==\nbegun\n');
  });
});

describe('metrics', () => {
  it('are one series, whatever the number of attempts', async () => {
    await leaveAttempt(at, run, 'sft', 1, { steps: [1, 2, 3, 4], exitCode: 85 });
    await leaveAttempt(at, run, 'sft', 2, { steps: [3, 4, 5] });
    const { out } = await typed('metrics', run, 'sft', '--json');
    const value = metricsView.schema.parse(JSON.parse(out));
    expect(value).toMatchObject({ run, stage: 'sft', attempts: 2 });
    expect(value.rows.map(({ step, attempt }) => [step, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
      [4, 2],
      [5, 2],
    ]);
    expect((await typed('metrics', run)).out).toBe(
      'step    loss\n1     0.1250\n2     0.2500\n3     0.3750\n4     0.5000\n5     0.6250\n',
    );
    expect((await typed('metrics', run, '--csv', '--last', '1')).out).toBe('step,attempt,loss\n5,2,0.625\n');
  });

  it('have the rows of the run that is resumed, at the same artifact only', async () => {
    const earlier = 'demo-20261128-180000';
    await leavePlan(at, earlier);
    await leavePlan(at, run, { resumes: earlier });
    await leaveAttempt(at, earlier, 'grpo', 1, { steps: [1, 2], exitCode: 85, key: 'a'.repeat(32) });
    await leaveAttempt(at, earlier, 'sft', 1, { steps: [7, 8], exitCode: 85, key: 'b'.repeat(32) });
    await leaveAttempt(at, run, 'grpo', 1, { steps: [3], key: 'a'.repeat(32) });
    await leaveAttempt(at, run, 'sft', 1, { steps: [9], key: 'c'.repeat(32) });
    expect((await typed('metrics', run, 'grpo', '--csv')).out).toMatch(/^step.*\n1,.*\n2,.*\n3,.*\n$/);
    expect((await typed('metrics', run, 'sft', '--csv')).out).toMatch(/^step.*\n9,.*\n$/);
  });

  it('come in pages where they are many, and from the artifact where the stage was reused', async () => {
    const key = 'd'.repeat(32);
    const folder = paths.artifact(at.store.root, 'grpo', key);
    await mkdir(folder, { recursive: true });
    const rows = Array.from({ length: 4000 }, (_, step) => `${JSON.stringify({ step, loss: 0.5, reward: 1 })}\n`);
    await writeFile(join(folder, 'metrics.jsonl'), rows.join(''));
    at.knows(run, { artifacts: { grpo: folder } });
    const { out } = await typed('metrics', run, 'grpo', '--csv');
    expect(out.split('\n')).toHaveLength(4002);
    expect(at.server.calls.filter((call) => call.includes('"metrics"')).length).toBeGreaterThan(1);
  });

  it('fit the terminal, are all there on a pipe, and quote what CSV must quote', async () => {
    const folder = await leaveAttempt(at, run, 'grpo', 1, {});
    const names = ['loss', 'reward', 'reward_l1', 'reward_format', 'response_length', 'lr', 'grad_norm', 'entropy'];
    const row = { step: 10_000, ...Object.fromEntries(names.map((name) => [name, -0.000_012_345])), note: 'a "b", c' };
    await writeFile(join(folder, 'metrics.jsonl'), `${JSON.stringify({ ...row, non_finite: ['loss', 'x'] })}\n`);
    expect((await typed('metrics', run, 'grpo')).out).toMatch(/^step .* grad_norm .*entropy\n/);
    const out = await onTerminal(['metrics', run, 'grpo'], at.server, 80);
    expect(out).not.toContain('entropy');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect((await typed('metrics', run, 'grpo', '--csv')).out).toMatch(/,loss x,.*,"a ""b"", c"\n/);
  });

  it('say what is missing', async () => {
    expect((await typed('metrics', run, 'sft')).err).toContain('stage sft has not begun');
    await leaveAttempt(at, run, 'sft', 1, {});
    expect((await typed('metrics', run, 'sft')).err).toContain('stage sft has no number yet');
  });
});

describe('checkpoints', () => {
  it('are those that are complete, with sizes, across stages and attempts', async () => {
    const folder = await leaveAttempt(at, run, 'sft', 1, { checkpoints: [8, 16], key: 'e'.repeat(32) });
    await mkdir(join(folder, 'checkpoints/.checkpoint-24.tmp'));
    await leaveAttempt(at, run, 'grpo', 1, { checkpoints: [4] });
    const value = checkpointsView.schema.parse(JSON.parse((await typed('checkpoints', run, '--json')).out));
    const rows = value.map(({ stage, step, bytes, key }) => [stage, step, bytes, key]);
    expect(rows.map((row) => row.join(' ')).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'grpo 4 2048 ',
      `sft 16 2048 ${'e'.repeat(32)}`,
      `sft 8 2048 ${'e'.repeat(32)}`,
    ]);
    const { out } = await typed('checkpoints', run);
    expect(out).toMatch(/^sft attempt 1 +16 +2\.0 KiB /m);
    expect(out).toContain('6.0 KiB in all');
    expect(out).not.toContain('<');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    at.knows('other');
    expect((await typed('checkpoints', 'other')).out).toBe('no checkpoints\n');
    await leavePlan(at, 'forgotten');
    expect((await typed('checkpoints', 'forgotten')).out).toBe('no checkpoints\n');
  });

  it('say from which one a resume goes on: none of a stage that is done, and not where nothing would be left to do', async () => {
    const [sft, grpo] = ['e'.repeat(32), artifactKey('grpo', { n: 1 })];
    const manifest = (name: string, steps: number) =>
      JSON.stringify({ planned: { steps, rows: null }, engine: { name } });
    const lay = async (stage: 'sft' | 'grpo', attempt: number, steps: number[], key: string, engine: string) => {
      const folder = await leaveAttempt(at, run, stage, attempt, { checkpoints: steps, key });
      await writeFile(join(folder, 'attempt.json'), manifest(engine, 24));
    };
    await lay('sft', 1, [8, 16], sft, 'llamafactory');
    await lay('sft', 2, [20, 24], sft, 'llamafactory');
    await lay('grpo', 1, [24], grpo, 'easyr1');
    const marked = async () => {
      const value = checkpointsView.schema.parse(JSON.parse((await typed('checkpoints', run, '--json')).out));
      return value
        .filter(({ resumes }) => resumes)
        .map(({ stage, step }) => `${stage} ${step}`)
        .toSorted();
    };
    expect(await marked()).toEqual(['grpo 24', 'sft 20']);
    const { out } = await typed('checkpoints', run);
    expect(out.split('\n').filter((line) => line.endsWith('<'))).toHaveLength(2);
    expect(out).toContain('<  the next attempt, or "critic resume", goes on from here');
    // Another artifact goes on from nothing that was before.
    await lay('sft', 3, [], 'd'.repeat(32), 'llamafactory');
    expect(await marked()).toEqual(['grpo 24']);
    const from = join(at.store.root, 'partial/grpo-1');
    await mkdir(from, { recursive: true });
    await writeFile(join(from, 'model'), 'x');
    const made = { counts: {}, cost: {}, run, attempts: [] };
    await at.store.publish({ stage: 'grpo', key: grpo, ingredients: { n: 1 }, from, ...made });
    expect(await marked()).toEqual([]);
  });

  it('of a name that is no run’s are refused by the worker, by field', async () => {
    const { code, err } = await typed('checkpoints', '../x');
    expect(code).toBe(1);
    expect(err).toContain('critic: run: expected the id of a run, got "../x"');
  });
});

describe('a run that nobody knows', () => {
  it.each([['checkpoints'], ['metrics'], ['diff', run]])('is told by critic %s', async (...verb) => {
    await leavePlan(at, run);
    const { code, err, out } = await typed(...verb, 'nobody');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(
      /^critic: run "nobody": expected the id of a run, .*neither Temporal nor the store has such a run\n$/,
    );
  });
});
