/** Teachers that do not know structured output, and answers in other forms than the one asked for. */
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { activityEnvironment, rejection } from '../fixtures.ts';
import { goodCritique } from '../teacher/scripted-completion.ts';
import type { Behaviour, Seen } from '../teacher/scripted-teacher.ts';
import { SynthesisBench } from './synthesis-fixtures.ts';

const rows = 6;
let bench: SynthesisBench;

beforeEach(async () => {
  bench = await SynthesisBench.make(rows);
});
afterEach(async () => {
  await bench.teacher.stop();
});

const formatOf = (seen: Seen) => seen.body.response_format?.type ?? 'none';

/** A server that takes these formats alone and answers with a fenced block. */
function onlyTakes(formats: string[], refusal: Behaviour): void {
  bench.teacher.script = (seen) =>
    formats.includes(formatOf(seen))
      ? {
          kind: 'completion',
          content: `\`\`\`json\n${JSON.stringify(goodCritique(seen.instruction), null, 2)}\n\`\`\`\n`,
        }
      : refusal;
}

describe('a teacher without structured output', () => {
  it.each<[string, Behaviour]>([
    ['names the parameter', { kind: 'status', status: 400, param: 'response_format', code: 'unsupported_value' }],
    ['names what is in the parameter', { kind: 'status', status: 400, param: 'response_format.type' }],
    ['names nothing, as vLLM does', { kind: 'status', status: 400, code: 400 }],
    ['is a 422 that names nothing', { kind: 'status', status: 422 }],
  ])('is asked for any JSON instead, from its first refusal on, which %s', async (_name, refusal) => {
    onlyTakes(['json_object'], refusal);
    const artifact = await bench.run({ concurrency: 1 });
    expect(bench.teacher.requests.map(formatOf)).toEqual(['json_schema', ...Array<string>(rows).fill('json_object')]);
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    const { requests, uncertain_requests: uncertain, usd } = await bench.card(artifact);
    expect({ requests, uncertain }).toMatchObject({ requests: { answered: rows, unpaid: 1, lost: 0 }, uncertain: [] });
    expect(usd).toBeCloseTo(rows * 0.0035);
  });

  it('is asked without a format where it takes none, also by requests that were on their way', async () => {
    bench.teacher.latencyMs = 20;
    onlyTakes(['none'], { kind: 'status', status: 400, param: 'response_format' });
    const refused: unknown[] = [];
    const logger = new DefaultLogger('WARN', ({ meta }) => refused.push(meta?.['refused']));
    const artifact = await bench.run({ concurrency: 3 }, activityEnvironment(logger));
    expect(refused).toEqual(['json_schema', 'json_object']);
    expect(await bench.keptIds(artifact)).toEqual(bench.trainIds());
    const formats = bench.teacher.requests.map(formatOf);
    expect(formats.filter((format) => format === 'none')).toHaveLength(rows);
    // Three in flight at most learn that at once, for each of two formats.
    expect(formats.length - rows).toBeLessThanOrEqual(6);
  });

  it('that refuses every format is refused for good, with what it said', async () => {
    bench.teacher.script = () => ({ kind: 'status', status: 400 });
    const failure = await rejection(bench.run({ concurrency: 1 }));
    expect(failure).toMatchObject({ type: 'TeacherRefused', nonRetryable: true });
    expect(failure).toHaveProperty('message', expect.stringContaining('scripted 400'));
    expect(bench.teacher.requests.map(formatOf)).toEqual(['json_schema', 'json_object', 'none']);
  });

  it('is not suspected once it has answered: a later refusal that names nothing stops the stage', async () => {
    bench.teacher.script = ({ number }) => (number === 3 ? { kind: 'status', status: 400 } : undefined);
    const failure = await rejection(bench.run({ concurrency: 1 }));
    expect(failure).toMatchObject({ type: 'TeacherRefused' });
    expect(bench.teacher.requests.map(formatOf)).toEqual(Array(3).fill('json_schema'));
  });
});

describe('an answer in another form', () => {
  const { alignment, fidelity, quality, overall } = goodCritique('make the circle number 2 blue');
  it.each([
    ['wrong-order', { overall, alignment, fidelity, quality }],
    ['missing-part', { alignment, fidelity, overall }],
    ['malformed', { alignment, fidelity, quality, overall: 3 }],
    ['malformed', [alignment, fidelity, quality, overall]],
  ])('is %s, counted and asked again', async (reason, value) => {
    bench.teacher.script = ({ number }) =>
      number === 3 ? { kind: 'completion', content: JSON.stringify(value) } : undefined;
    const artifact = await bench.run();
    expect(artifact.counts).toMatchObject({ kept: rows, answers: rows + 1 });
    expect((await bench.card(artifact)).rejected_answers_by_reason).toEqual({ [reason]: 1 });
  });

  it('is a critique with further keys between', async () => {
    bench.teacher.script = ({ instruction }) => {
      const own = goodCritique(instruction);
      const content = { note: 'x', ...own, score: 'none' };
      return { kind: 'completion', content: JSON.stringify(content) };
    };
    expect((await bench.run()).counts).toMatchObject({ kept: rows, answers: rows });
  });
});
