/** The two rewards against each other: TypeScript's and the trainer's Python on thousands of texts made to be misread. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { reward, type RewardParams } from '../../../domain/critique/reward.ts';
import { parseAnswer, whiteSpace } from '../../../domain/critique/score.ts';
import { type Random, seededRandom } from '../../../domain/evaluation/seeded-random.ts';

// Some seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const program = `
import json, sys
from critic_trainer.engines.trl.engine import reward_weights
from critic_trainer.reward import accuracy_reward, format_reward, read_score
for text, mos, params in json.load(sys.stdin):
    accuracy = accuracy_reward(text, mos, params["shape"], params["floor"])
    form, weights = format_reward(text), reward_weights(params)
    print(json.dumps([read_score(text), accuracy, form, weights[0] * accuracy + weights[1] * form]))
`;
const answersSchema = z.array(z.tuple([z.number().nullable(), z.number(), z.number(), z.number()]));

/** Characters that one language or another takes for white space, for nothing, for a digit or for a line's end. */
const odd = [
  ...Array.from(whiteSpace, (character) => character),
  '\ufeff',
  '\u200b',
  '\u200e',
  '\u2060',
  '\u180e',
  '\x00',
  '\x08',
  '\x0e',
  '\x1b',
  '\x7f',
  '\x84',
  '\x9f',
  '\xad',
  '\ud800',
  '\udc00',
  '\u{1d7db}',
  '\u0663',
  '\uff13',
  '\u0131',
  '\u017f',
  '\u212a',
  '\u0307',
  '_',
  ',',
  "'",
];
const parts =
  '<think>|</think>|<answer>|</answer>|<answer>3.2</answer>|<ANSWER>|</answer|<answer/>|fine|1|2|3|4.5|5|0|5.00|.5|3.|+2|-2|--2|1e0|2E+0|30e-1|1e|1e999|0x3|inf|NaN|Infinity|1_0|3 4|3/5|4.999999999999999999|1e-400|\r\n|\n| '.split(
    '|',
  );
const shapes = ['l1', 'l2', 'gaussian', 'laplace'] as const;

function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** A whole answer with odd characters at some of its joints, or parts in any order. */
function textOf(random: Random): string {
  const some = () => Array.from({ length: Math.floor(random() * 3) }, () => pick(odd, random)).join('');
  const maybe = () => (random() < 0.35 ? some() : '');
  if (random() < 0.3)
    return Array.from({ length: Math.floor(random() * 9) }, () => pick(parts, random) + maybe()).join('');
  const score = random() < 0.7 ? (0.5 + 5 * random()).toFixed(Math.floor(random() * 4)) : pick(parts, random);
  if (random() < 0.2) return maybe() + score + maybe();
  return `${maybe()}<think>${maybe()}fine${maybe()}</think>${maybe()}<answer>${maybe()}${score}${maybe()}</answer>${maybe()}`;
}

describe('a reward in TypeScript and in Python', () => {
  it('is the same for 20,000 texts made to be misread', () => {
    const random = seededRandom(2511);
    const cases = Array.from({ length: 20_000 }, (): [string, number, RewardParams] => [
      textOf(random),
      1 + Math.round(400 * random()) / 100,
      { shape: pick(shapes, random), format_weight: pick([0, 0.5, 1], random), floor: pick([0, 0.05, 0.3, 1], random) },
    ]);
    const trainer = fileURLToPath(new URL('../../../trainer', import.meta.url));
    const { status, stdout, stderr } = spawnSync('python3', ['-c', program], {
      input: JSON.stringify(cases),
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, PYTHONPATH: trainer, PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const answers = answersSchema.parse(
      stdout
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    );
    const different = cases.flatMap(([text, mos, params], index) => {
      const read = parseAnswer(text);
      const { accuracy, format, overall } = reward(text, mos, params);
      const ours = [read.kind === 'scored' ? read.score : null, accuracy, format, overall];
      const theirs = answers[index] ?? [];
      const same = ours.every((value, i) => {
        const other = theirs[i];
        // The score is read exactly; powers may differ in the last digit.
        return value === other || (i > 0 && Math.abs((value ?? 0) - (other ?? Number.NaN)) < 1e-12);
      });
      return same ? [] : [{ text: JSON.stringify(text), ours, theirs }];
    });
    expect(different.slice(0, 5)).toEqual([]);
    expect(answers).toHaveLength(cases.length);
    // The texts reach both sides of each question.
    expect(answers.filter(([score]) => score !== null).length).toBeGreaterThan(2000);
    expect(answers.filter(([score]) => score === null).length).toBeGreaterThan(2000);
    expect(answers.filter(([, , format]) => format === 1).length).toBeGreaterThan(2000);
  });
});
