import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { endingView } from '../../cli/commands/watch.ts';
import { planView } from '../../cli/commands/plan.ts';
import type { RunEstimate } from '../../domain/estimate/estimate.ts';
import type { OperatorQuestion } from '../../domain/jobs/progress.ts';
import { critic, fakeServer } from './fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-run-'));
const recipe = join(folder, 'recipe.yaml');
beforeAll(() => {
  const smoke: object = parse(readFileSync(new URL('../../recipes/smoke.yaml', import.meta.url), 'utf8'));
  writeFileSync(recipe, stringify({ ...smoke, dataset: folder, base_model: folder }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const planOf = z.object({ run: z.string(), recipe: z.object({ name: z.string(), seed: z.number() }) });
const result = { passed: true, reasons: [], mainScore: 0.5, report: '/r', summary: 'table\n', reused: [] };

describe('run', () => {
  it('starts a run of the recipe under the run’s id, with the seed of the command line, and watches it', async () => {
    const server = fakeServer({ trainCritic: { status: 'COMPLETED', result: () => result } });
    const { code, out } = await critic(['run', recipe, '--seed', '9'], server);
    expect(code).toBe(0);
    const [[id, plan] = ['']] = [...server.started];
    expect(id).toMatch(/^smoke-\d{8}-\d{6}$/);
    expect(planOf.parse(plan)).toMatchObject({ run: id, recipe: { name: 'smoke', seed: 9 } });
    expect(out).toContain(`run ${id}\n`);
    expect(out).toContain('Gate: passed');
  });

  const question: OperatorQuestion = { id: 'sft-1', stage: 'sft', sentence: 'why', logTail: '', commands: ['answer'] };
  const asking = () =>
    fakeServer({
      trainCritic: { view: { run: 'r', recipe: 'smoke', status: 'waiting', stages: [], questions: [question] } },
    });

  it('exits with 3 when it asks an operator and that is a failure here', async () => {
    const { code, out, err } = await critic(['run', recipe, '--fail-on-question'], asking());
    expect(code).toBe(3);
    expect(out).toContain('The run waits for you (sft): why');
    expect(err).toMatch(/^critic: run smoke-\S+ waits for an operator\n$/);
  });

  it('prints the questions as JSON with --json', async () => {
    const { code, out } = await critic(['run', recipe, '--fail-on-question', '--json'], asking());
    expect(code).toBe(3);
    expect(endingView.schema.parse(JSON.parse(out))).toMatchObject({ status: 'waiting', questions: [question] });
  });

  it('connects to nothing for a recipe that is none', async () => {
    const { code, out, err } = await critic(['run', join(folder, 'none.yaml')]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^critic: recipe ".*none\.yaml": expected a readable YAML file, got no such file\n$/);
  });

  it.each<[string[], string]>([
    [['run', ''], 'expected a path, got ""'],
    [['run', recipe, '--dataset', ''], 'expected a path, got ""'],
    [['plan', recipe, '--dataset', ' '], 'expected a path, got " "'],
    [['demo', '--sources', '9'], 'expected a whole number, at least 10, got "9"'],
    [['demo', '--edits', '0'], 'expected a whole number, at least 1, got "0"'],
  ])('starts nothing for what would mean something else: %j', async (argv, sentence) => {
    const { code, out, err } = await critic(argv);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(sentence);
  });
});

const estimate: RunEstimate = {
  schema: 1,
  recipe: 'smoke',
  dataset: { train: 8, test: 2 },
  stages: [
    { stage: 'dataset', action: 'reuse', key: 'k' },
    {
      stage: 'synthesis',
      action: 'make',
      key: 'k',
      synthesis: {
        rows: 8,
        answered: 1,
        tokens: { input: 3, images: 2, output: 1 },
        usd: { expected: 1, atMost: 2, spent: 0, cap: 5 },
      },
    },
    {
      stage: 'sft',
      action: 'make',
      key: 'k',
      job: {
        steps: 4,
        rows: null,
        seconds: null,
        gpuHours: { expected: null, atMost: 1 },
        measuredIn: null,
        kill: { saveSteps: 2, stepSeconds: null, alsoAtLimit: false, allowedMinutes: null },
      },
    },
  ],
  disk: { free: 9e9, jobs: [{ stage: 'sft', parameters: 7, size: { checkpoint: 84, model: 28, checkpoints: 3 } }] },
};

describe('plan', () => {
  const server = () => fakeServer({ planRun: { status: 'COMPLETED', result: () => estimate } });

  it('asks for an estimate under an id of its own and prints a table', async () => {
    const asked = server();
    const { code, out } = await critic(['plan', recipe], asked);
    expect(code).toBe(0);
    expect([...asked.started.keys()]).toEqual([expect.stringMatching(/^plan-smoke-/)]);
    expect(out).toMatch(/^dataset +reuse$/m);
    expect(out).toMatch(/^sft: what a kill loses is not known yet: up to the 2 steps/m);
    expect(out).toMatch(/^Disk: sft up to 280 B .*\.\nDisk: 9\.0 GB are free in the store\.$/m);
  });

  it('prints the whole estimate as JSON with --json', async () => {
    const { out } = await critic(['plan', recipe, '--json'], server());
    expect(planView.schema.parse(JSON.parse(out))).toEqual(estimate);
  });
});
