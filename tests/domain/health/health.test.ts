/** Health: curves that are well, curves that are not, and how much evidence a verdict takes. */
import { describe, expect, it } from 'vitest';
import {
  type Finding,
  healthVerdict,
  judgeAnswers,
  judgeTraining,
  type Signal,
} from '../../../domain/health/health.ts';
import type { MetricsRow } from '../../../domain/manifest.ts';
import { seededRandom } from '../../../domain/evaluation/seeded-random.ts';

/** `count` rows whose columns are functions of the share of the run that is over, 0 to 1. */
function run(columns: Record<string, (done: number) => number | null>, count = 200): MetricsRow[] {
  return Array.from({ length: count }, (_, i) => ({
    step: i + 1,
    ...Object.fromEntries(Object.entries(columns).map(([name, at]) => [name, at(i / (count - 1))])),
  }));
}

function wobbly(value: (done: number) => number, size: number): (done: number) => number {
  const random = seededRandom(1);
  return (done) => value(done) + (random() - 0.5) * size;
}

const signals = (findings: Finding[]): Signal[] => findings.map((finding) => finding.signal);

describe('judgeTraining', () => {
  const rows: [string, MetricsRow[], Signal[]][] = [
    ['no rows say nothing', [], []],
    ['nine rows say nothing', run({ response_length: (t) => 400 - 300 * t }, 9), []],
    ['missing columns say nothing', run({ loss: () => 1 }), []],
    [
      'the published curve, 358 to 402 tokens, grows',
      run({ response_length: wobbly((t) => 358 + 44 * t, 20) }),
      ['length-growth'],
    ],
    ['a level curve is nothing to speak of', run({ response_length: wobbly(() => 360, 30) }), []],
    [
      'non-linear rewards shrink it a little, 370 to 345: no collapse',
      run({ response_length: (t) => 370 - 25 * t }),
      [],
    ],
    [
      'a fall from 370 to 200 is a collapse',
      run({ response_length: wobbly((t) => 370 - 170 * t, 20) }),
      ['length-collapse'],
    ],
    [
      'a dip that has recovered is no collapse',
      run({ response_length: (t) => (t > 0.85 && t < 0.92 ? 100 : 360) }),
      [],
    ],
    [
      'perfect format while accuracy falls looks like hacking',
      run({ reward_l1: (t) => 0.7 - 0.3 * t, reward_format: () => 1 }),
      ['format-over-accuracy'],
    ],
    [
      'perfect format while accuracy rises is the aim',
      run({ reward_l1: (t) => 0.5 + 0.3 * t, reward_format: () => 1 }),
      [],
    ],
    [
      'falling accuracy with poor format is another matter',
      run({ reward_l1: (t) => 0.7 - 0.3 * t, reward_format: () => 0.5 }),
      [],
    ],
    ['groups of one reward at the end teach nothing', run({ reward_std_zero: (t) => 0.2 + 0.7 * t }), ['flat-reward']],
    ['groups that still differ at the end', run({ reward_std_zero: (t) => 0.4 * t }), []],
    [
      'rewards that come together while accuracy does not rise',
      run({ reward_l1: () => 0.6, reward_std: (t) => 0.4 - 0.3 * t }),
      ['flat-reward'],
    ],
    [
      'rewards that come together as accuracy rises',
      run({ reward_l1: (t) => 0.5 + 0.4 * t, reward_std: (t) => 0.4 - 0.3 * t }),
      [],
    ],
    [
      'a flat reward whose accuracy falls is one piece of evidence',
      run({ reward_l1: (t) => 0.7 - 0.3 * t, reward_format: () => 1, reward_std_zero: () => 0.9 }),
      ['format-over-accuracy'],
    ],
    ['entropy that ends near nothing has collapsed', run({ entropy: (t) => Math.exp(-5 * t) }), ['entropy-collapse']],
    ['entropy that halves is learning', run({ entropy: (t) => 1 - 0.5 * t }), []],
    ['a gradient norm that grows twentyfold', run({ grad_norm: (t) => 1 + 25 * t }), ['gradient-growth']],
    ['one gradient spike at the end', run({ grad_norm: (t) => (t === 1 ? 500 : 1) }), []],
    ['nulls in a column are left out', run({ response_length: (t) => (t > 0.5 ? 360 : null) }), []],
  ];
  it.each(rows)('%s', (_name, metrics, expected) => {
    expect(signals(judgeTraining(metrics))).toEqual(expected);
  });

  it('NaN is reported with the number of steps that hold it', () => {
    const metrics: MetricsRow[] = [
      { step: 1, loss: null, non_finite: ['loss'] },
      { step: 2, loss: 1, non_finite: [] },
    ];
    expect(judgeTraining(metrics)).toEqual([
      { signal: 'numbers', level: 'warning', sentence: '1 logged steps hold NaN or infinity' },
    ]);
  });

  it('a sentence carries the numbers it rests on', () => {
    const [finding] = judgeTraining(run({ response_length: (t) => (t < 0.5 ? 370 : 200) }));
    expect(finding?.sentence).toBe('answers got shorter, from 370.0 to 200.0 tokens: length collapse');
  });
});

describe('judgeAnswers', () => {
  const words = ['sky', 'tree', 'edge', 'bus', 'hair', 'lamp', 'duck', 'wall', 'glass', 'sun', 'road', 'boat'];
  const thought = (i: number) =>
    Array.from({ length: 30 }, (_, k) => words[(i * 7 + k * (i + 3) + ((i * k) % 5)) % words.length]).join(' ');
  const answers = (score: (i: number) => number, think: (i: number) => string) =>
    Array.from({ length: 40 }, (_, i) => ({ score: score(i), think: think(i) }));
  const spread = (i: number) => 1 + (i % 20) / 5;

  it.each<[string, { score: number; think: string }[], Signal[]]>([
    [
      'nine answers say nothing',
      answers(
        () => 3,
        () => 'same',
      ).slice(0, 9),
      [],
    ],
    ['different texts, different scores', answers(spread, thought), []],
    ['one score for all does not spread either', answers(() => 3, thought), ['same-score', 'no-spread']],
    ['two scores a hair apart', answers((i) => 3 + (i % 2) / 100, thought), ['no-spread']],
    ['one text for all pairs', answers(spread, () => thought(3)), ['template']],
    [
      'one text with a word changed here and there',
      answers(spread, (i) => `${thought(3)} ${words[i % 2] ?? ''}`),
      ['template'],
    ],
    ['direct answers have no text to repeat', answers(spread, () => ''), []],
  ])('%s', (_name, given, expected) => {
    expect(signals(judgeAnswers(given))).toEqual(expected);
  });
});

describe('healthVerdict', () => {
  const finding = (signal: Signal, level: Finding['level'] = 'warning'): Finding => ({ signal, level, sentence: '' });
  it.each<[string, Finding[], ReturnType<typeof healthVerdict>]>([
    ['nothing found', [], 'healthy'],
    ['only good news', [finding('length-growth', 'good')], 'healthy'],
    ['one warning', [finding('length-collapse')], 'warning'],
    ['the same warning twice is one kind of evidence', [finding('numbers'), finding('numbers')], 'warning'],
    ['two kinds of evidence', [finding('length-collapse'), finding('template')], 'sick'],
  ])('%s', (_name, findings, expected) => {
    expect(healthVerdict(findings)).toBe(expected);
  });
});
