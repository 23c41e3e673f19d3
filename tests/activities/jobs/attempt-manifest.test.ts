/** attempt.json as it is written here, against the schema that a job checks it with before it does anything. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parse } from 'yaml';
import { attemptManifest } from '../../../activities/jobs/attempts.ts';
import { engineNames } from '../../../domain/engines/registry.ts';
import { type AttemptChanges, firstAttempt, type JobOrder } from '../../../domain/jobs/job-spec.ts';
import { runId } from '../../../domain/names.ts';
import { checkRecipe } from '../../../domain/recipe.ts';
import { isJob, stageGraph } from '../../../domain/stage-graph.ts';
import { keyedParts } from '../../../domain/stage-keys.ts';
import { sftOrder } from '../fixtures.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
// Not strict: ajv's own taste in schemas, which the trainer's validator does not share.
const schema: unknown = JSON.parse(read('tests/golden/attempt.schema.json'));
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(
  z.record(z.string(), z.unknown()).parse(schema),
);
const torch = { python: '3.11', torch: '2.11.0' };
const surroundings = {
  trainer: '/store/code/abc',
  baseModel: { key: 'base' },
  engines: Object.fromEntries(engineNames.map((name) => [name, torch])),
};
const recipes = ['demo', 'smoke', 'paper', 'paper-2-nodes', 'paper-verl', 'one-gpu'];

/** Orders of all jobs of a run of this recipe, by stage. */
function ordersOf(name: string): [string, JobOrder][] {
  const checked = checkRecipe(parse(read(`recipes/${name}.yaml`)));
  if ('faults' in checked) throw new Error(checked.faults.join('\n'));
  const jobs = stageGraph(checked.recipe).filter(isJob);
  return jobs.map((node) => {
    const inputs = Object.keys(node.inputs).map((role) => [role, `/store/${role}`]);
    const planned = node.planned(() => ({ records: 20, test: 7 }));
    const keyed = keyedParts(node, surroundings);
    const order = sftOrder('demo-20261123-190000');
    return [node.name, { ...order, stage: node.name, ...keyed, planned, inputs: Object.fromEntries(inputs) }];
  });
}

/** What the schema says against the file, `path: message`, as it would be read back. */
function faults(given: JobOrder, changes: Partial<AttemptChanges> = {}): string[] {
  const manifest = attemptManifest(given, 2, { ...firstAttempt, ...changes });
  if (validate(JSON.parse(JSON.stringify(manifest)))) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}

describe.each(recipes)('an attempt of recipes/%s.yaml', (name) => {
  it.each(ordersOf(name))('of %s is one that the trainer accepts', (_stage, order) => {
    expect(faults(order)).toEqual([]);
  });

  it.each(ordersOf(name))('of %s stays one when it resumes with its micro-batch halved', (_stage, order) => {
    expect(faults(order, { resumeFrom: '/store/c/checkpoint-3', microBatchHalvings: 9 })).toEqual([]);
  });
});

it('the attempts of all recipes are those that the tests of the engines’ parsers read', async () => {
  const attempts = recipes.flatMap((name) =>
    ordersOf(name).map(([stage, order]) => {
      const { engine, ...manifest } = attemptManifest(order, 1, firstAttempt);
      return { recipe: name, attempt: { ...manifest, stage, engine: { ...engine, versions: {} } } };
    }),
  );
  // `npm run test:unit -- tests/activities/jobs/attempt-manifest.test.ts --update` writes it anew.
  const golden = fileURLToPath(new URL('../../golden/recipe-attempts.json', import.meta.url));
  await expect(`${JSON.stringify(attempts, undefined, 2)}\n`).toMatchFileSnapshot(golden);
});

it('an attempt of a stage with the longest name, in a run with the longest id, is one that the trainer accepts', () => {
  const [, order = sftOrder('none')] = ordersOf('demo').find(([stage]) => stage === 'predict-base') ?? [];
  const run = runId('a-recipe-of-24-letters-x', new Date('2026-11-23T19:00:00Z'));
  expect(faults({ ...order, run, stage: `predict-${'a'.repeat(16)}` })).toEqual([]);
});

describe('the trainer', () => {
  it('has the engines that the orchestrator knows, and no other', () => {
    expect(schema).toMatchObject({ properties: { engine: { properties: { name: { enum: engineNames } } } } });
  });
});

describe('an attempt that the trainer would refuse', () => {
  const sft = Object.fromEntries(ordersOf('demo'))['sft'] ?? sftOrder('none');

  it.each<[string, Partial<JobOrder>, string]>([
    ['a parameter that nobody knows', { params: { ...sft.params, optimizer: 'adam' } }, '/params: must NOT have'],
    ['a parameter of the wrong type', { params: { ...sft.params, epochs: '5' } }, '/params/epochs: must be number'],
    ['another engine’s kind of work', { engine: { name: 'trl', versions: {} } }, '/kind: must be equal to constant'],
    ['a relative path', { model: 'models/tiny' }, '/model: must match pattern'],
    ['an input that is missing', { inputs: { dataset: '/d' } }, '/inputs: must have required property'],
  ])('has %s', (_what, wrong, fault) => {
    expect(faults({ ...sft, ...wrong })).toContainEqual(expect.stringContaining(fault));
  });
});
