/** What is told of the health of a run that trains, from the files that its jobs write. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Client } from '@temporalio/client';
import { afterAll, describe, expect, it } from 'vitest';
import type { Notice } from '../../domain/notices/notice.ts';
import { HealthLook } from '../../workers/health-look.ts';

const store = mkdtempSync(join(tmpdir(), 'critic-health-look-'));
afterAll(() => rmSync(store, { recursive: true, force: true }));

const run = 'demo-20261128-010000';
/** A server with this open run, of a night that tells its own channel. */
async function* list() {
  const searchAttributes = { CriticNight: ['nightly'] };
  yield { workflowId: run, runId: '0123456789', searchAttributes, memo: { tell: ['night-owls'] } };
}
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the look only lists
const client = { workflow: { list } } as unknown as Client;

/** Numbers whose answers and entropy go together, as in a collapse. */
function metrics(stage: string, attempt: number, steps: number[], length: (step: number) => number): void {
  const folder = join(store, 'runs', run, 'jobs', stage, `a${attempt}`);
  mkdirSync(folder, { recursive: true });
  const lines = steps.map((step) =>
    JSON.stringify({ step, loss: 0.1, response_length: length(step), entropy: length(step) / 1000 }),
  );
  writeFileSync(join(folder, 'metrics.jsonl'), `${lines.join('\n')}\n{"step":`);
}
const steps = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a run that trains', () => {
  it('is told to collapse as soon as its numbers say so, over attempts, once, and to whom its night says', async () => {
    const told = new Map<string, Notice[]>();
    const put = async (notice: Notice) => told.set(notice.id, [...(told.get(notice.id) ?? []), notice]);
    const look = new HealthLook(client, store, { put });
    const at = (minutes: number) => look.look(new Date(Date.UTC(2026, 10, 28, 1, minutes)));
    metrics('sft', 1, steps(1, 200), (step) => 400 - step);
    metrics('grpo', 1, steps(1, 100), () => 400);
    await at(0);
    expect([...told.keys()]).toEqual([]);
    metrics('grpo', 2, steps(90, 200), (step) => (step < 150 ? 400 : 100));
    await at(1); // too soon after the first one
    expect([...told.keys()]).toEqual([]);
    await at(2);
    const id = `run-${run}-health-grpo`;
    expect([...told.keys()]).toEqual([id]);
    expect(told.get(id)).toMatchObject([
      {
        kind: 'health',
        run,
        night: 'nightly',
        to: ['night-owls'],
        title: `run ${run}: grpo trains sick`,
        text: expect.stringMatching(
          /^Answers got shorter, from 400 to 100\.\nThe entropy fell, from 0\.400 to 0\.100\.\n/,
        ),
      },
    ]);
  });

  it.each([
    ['is read on from where the last look ended', undefined, 1],
    ['is read anew if more is at work than is remembered', 100, 0],
  ])('%s', async (_what, mostBytes, times) => {
    const told: string[] = [];
    const put = async ({ id }: Notice) => told.push(id);
    const look = new HealthLook(client, store, { put }, mostBytes === undefined ? {} : { mostBytes });
    const at = (minutes: number) => look.look(new Date(Date.UTC(2026, 10, 28, 1, minutes)));
    const path = join(store, 'runs', run, 'jobs/grpo/a1/metrics.jsonl');
    const row = (step: number, length: number) =>
      `${JSON.stringify({ step, response_length: length, entropy: length / 1000, note: 'x'.repeat(300) })}\n`;
    const well = steps(1, 100).map((step) => row(step, 400));
    rmSync(join(store, 'runs'), { recursive: true });
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, well.join(''));
    await at(0);
    // Without what was read, but for the last two lines, there are too few steps for a trend.
    const blank = well.slice(0, -2).map((line) => line.replaceAll(/[^\n]/g, ' '));
    const collapse = steps(101, 110).map((step) => row(step, 100));
    writeFileSync(path, [...blank, ...well.slice(-2), ...collapse].join(''));
    await at(2);
    expect(told).toHaveLength(times);
  });

  it('and shows one sign alone is not told of', async () => {
    const alone = 'alone-20261128-000000';
    const folder = join(store, 'runs', alone, 'jobs/grpo/a1');
    mkdirSync(folder, { recursive: true });
    const lines = steps(1, 60).map((step) => JSON.stringify({ step, response_length: step < 40 ? 400 : 100 }));
    writeFileSync(join(folder, 'metrics.jsonl'), `${lines.join('\n')}\n`);
    async function* one() {
      yield { workflowId: alone, runId: '1', searchAttributes: {}, memo: {} };
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the look only lists
    const only = { workflow: { list: one } } as unknown as Client;
    await new HealthLook(only, store, { put: async () => expect.unreachable() }).look(new Date());
  });

  it('without files has nothing to tell', async () => {
    const put = async () => expect.unreachable();
    await new HealthLook(client, join(store, 'none'), { put }).look(new Date());
  });

  it('is looked at though another run has no folder where one should be', async () => {
    const bad = 'bad-20261128-000000';
    mkdirSync(join(store, 'runs', bad, 'jobs'), { recursive: true });
    writeFileSync(join(store, 'runs', bad, 'jobs/grpo'), 'no folder');
    metrics('grpo', 1, steps(1, 200), (step) => (step < 150 ? 400 : 100));
    async function* two() {
      yield { workflowId: bad, runId: '1', searchAttributes: {}, memo: {} };
      yield* list();
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the look only lists
    const both = { workflow: { list: two } } as unknown as Client;
    const told: string[] = [];
    const put = async ({ id }: Notice) => told.push(id);
    await expect(new HealthLook(both, store, { put }).look(new Date())).rejects.toThrow('ENOTDIR');
    expect(told).toContain(`run-${run}-health-grpo`);
  });
});
