/** What `logs` reads of a run, and follows from stage to stage, through the activity that answers it. */
import { appendFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { logsView } from '../../cli/commands/reading/attempt-logs.ts';
import { followLogs } from '../../cli/commands/reading/follow-logs.ts';
import { type AskedStore, askedStore, leaveAttempt } from './asked-store.ts';
import { NobodyAnswers } from '../../cli/workers.ts';
import { critic } from './fakes.ts';

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

  it('are followed on once a worker answers again, each line once, and that is said once', async () => {
    const folder = await leaveAttempt(at, run, 'sft', 1, { log: 'a\n' });
    const [texts, notes]: [string[], string[]] = [[], []];
    at.knows(run, { status: () => (texts.join('').includes('c\n') ? 'COMPLETED' : 'RUNNING') });
    const { workflow } = at.server.client;
    const getHandle = workflow.getHandle.bind(workflow);
    let away = 0;
    const startUpdate = async () => {
      away -= 1;
      throw new NobodyAnswers('nobody answers');
    };
    Object.assign(workflow, {
      getHandle: (id: string) => (away > 0 && id !== run ? { ...getHandle(id), startUpdate } : getHandle(id)),
    });
    await followLogs(
      at.server.client,
      { run, stage: undefined, attempt: undefined, all: false },
      {
        write: (text) => {
          if (texts.push(text) === 2) away = 3;
          if (texts.length === 1) void appendFile(join(folder, 'job.log'), 'b\n');
        },
        note: (sentence) => {
          notes.push(sentence);
          void appendFile(join(folder, 'job.log'), 'c\n');
        },
        pauseMs: 10,
      },
    );
    expect(notes).toEqual(['no worker answers: the logs go on here once one does']);
    expect(texts.join('')).toBe('==> sft attempt 1, job 1 <==\na\nb\nc\n');
  });

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
