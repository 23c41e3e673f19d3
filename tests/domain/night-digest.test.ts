/** The digest's words: verdict, changes with intervals, what was spent, what to do and to type. */
import { describe, expect, it } from 'vitest';
import { digestNotice, type Digested } from '../../domain/nights/night-digest.ts';
import { aNight } from './night-fixture.ts';

const night = aNight();
const of = (digested: Omit<Digested, 'run'>) =>
  digestNotice(night, '2026-11-28T01:30:00.000Z', '2026-11-28T05:00:00.000Z', { run: 'r-1', ...digested });

describe('a digest', () => {
  it('has verdict, changes, cost against estimate, waste with its reasons, and what to do', () => {
    const difference = { estimate: 0.02, standardError: 0.01, difference: [0.001, 0.039] as [number, number] };
    const { title, text, commands, id, kind, also } = of({
      outcome: { verdict: 'not-passed', sentence: 'MainScore 0.5 < 0.6', nothingNew: false },
      score: { value: 0.5, interval: [0.4, 0.6] },
      lastNight: { run: 'r-0', change: difference },
      champion: { run: 'r-c', change: { ...difference, estimate: -0.1, difference: null } },
      usd: { spent: 1.234, expected: 2 },
      attempts: [
        { attempt: 'sft a1', gpuHours: 1, wasted: 'GPU out of memory' },
        { attempt: 'sft a2', gpuHours: 2, wasted: null },
      ],
      gpuHoursExpected: 2.5,
      report: '/store/runs/r-1/report.html',
      missing: ['the weather (no window)'],
    });
    expect({ kind, also }).toEqual({ kind: 'night-ended', also: ['not-passed'] });
    expect(id).toBe('night-n-20261128-013000-ended-r-1'); // its backfill has another run, and is told too
    expect(title).toBe('night n of 2026-11-28 01:30 UTC did not pass the gate');
    expect(text.split('\n')).toEqual([
      'MainScore 0.5 < 0.6',
      'MainScore 0.500 [0.400, 0.600]',
      'Against last night (r-0): +0.020 [0.001, 0.039]',
      'Against the champion (r-c): -0.100',
      'Teacher: $1.23 spent, $2.00 expected',
      'GPU-hours: 3.000 used, 2.500 expected, 1.000 of them in attempts that did not end well',
      '  sft a1: 1.000, GPU out of memory',
      'Report: /store/runs/r-1/report.html',
      'Not known: the weather (no window)',
      'Nothing is to be done.',
    ]);
    expect(commands).toEqual(['critic status r-1']);
  });

  it('says why there is no MainScore, and what to do about it', () => {
    const { text } = of({
      outcome: { verdict: 'not-passed', sentence: 'MainScore is unknown', nothingNew: false },
      score: { value: null, interval: null },
      whyNoScore: 'all 8 answers are the score 3',
    });
    expect(text.split('\n').slice(1)).toEqual([
      'MainScore undefined: all 8 answers are the score 3',
      expect.stringMatching(/^Such a critic does not tell pairs apart: .* train it longer .* or with another seed\.$/),
    ]);
  });

  it('says nothing new, and nothing of what is not known', () => {
    const { title, text } = of({ outcome: { verdict: 'passed', sentence: 'good', nothingNew: true } });
    expect(title).toMatch(/passed the gate: nothing new$/);
    expect(text).toBe(
      'good\nNothing new: every artifact was there already, and nothing was spent.\nNothing is to be done.',
    );
  });

  it('says that a failure has paused the schedule, and how it goes on', () => {
    const outcome = { verdict: 'failed', sentence: 's', nothingNew: false } as const;
    const { commands, text } = digestNotice({ ...night, pause_on_failure: true }, '2026-11-28T01:30:00.000Z', 'now', {
      run: 'r-1',
      outcome,
    });
    expect(commands).toContain('critic schedule unpause n');
    expect(text).toMatch(/Its schedule is paused\.$/);
  });

  it.each([
    ['failed', 'critic resume r-1'],
    ['cancelled', 'critic resume r-1'],
    ['stopped', 'critic schedule describe n'],
  ] as const)('of a night that %s says what to type', (verdict, command) => {
    expect(of({ outcome: { verdict, sentence: 's', nothingNew: false } }).commands[0]).toBe(command);
  });

  it('of a night that the next one took over wants nothing of anybody: to resume it would take its work away', () => {
    const outcome = { verdict: 'cancelled', sentence: 'the run was cancelled', nothingNew: false } as const;
    const { title, text, commands } = of({ outcome, isTakenOver: true });
    expect(title).toMatch(/gave way to the next night$/);
    expect(text).toContain('Nothing is to be done: the next night goes on from there.');
    expect(commands).toEqual(['critic schedule describe n']);
  });
});
