/** Experiment files: what is read, and what is said of a wrong one. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { mostMembers } from '../../domain/experiment/experiment.ts';
import { sftOf } from '../../domain/recipe/arms.ts';
import { readExperiment } from '../../input/experiment-file.ts';
import { rejection } from '../activities/fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-experiment-file-'));
afterAll(() => rmSync(folder, { recursive: true }));
const data = join(folder, 'data');
mkdirSync(data);
const root = fileURLToPath(new URL('../..', import.meta.url));
const smoke = join(root, 'recipes/smoke.yaml');

const write = (fields: Record<string, unknown>) => {
  const path = join(folder, 'experiment.yaml');
  const usual = {
    name: 'e',
    question: 'Which?',
    recipe: smoke,
    baseline: 'a',
    arms: { a: {}, b: { 'grpo.steps': 3 } },
  };
  writeFileSync(path, JSON.stringify({ ...usual, ...fields }));
  return path;
};
const read = (fields: Record<string, unknown> = {}) => readExperiment(write(fields), { dataset: data });

describe('an experiment file', () => {
  it('gives a checked recipe for each arm and seed, named after both', async () => {
    const experiment = await read({ seeds: [1, 2], set: { 'sft.epochs': 2 } });
    const seen = experiment.members.map(({ arm, seed, recipe }) => {
      return [arm, seed, recipe.seed, recipe.name, recipe.grpo.steps, sftOf(recipe)?.epochs, recipe.dataset.path];
    });
    expect(seen).toEqual([
      ['a', 1, 1, 'e.a.s1', 12, 2, data],
      ['b', 1, 1, 'e.b.s1', 3, 2, data],
      ['a', 2, 2, 'e.a.s2', 12, 2, data],
      ['b', 2, 2, 'e.b.s2', 3, 2, data],
    ]);
    expect(experiment).toMatchObject({ schema: 1, name: 'e', at_most: 2, baseline: 'a', directions: [] });
    expect(experiment.arms).toEqual([
      { name: 'a', set: {} },
      { name: 'b', set: { 'grpo.steps': 3 } },
    ]);
  });

  it('gives way to the seeds and the limit of the command line', async () => {
    const experiment = await readExperiment(write({}), { dataset: data, seeds: [4, 5], atMost: 1 });
    expect(experiment.members.map(({ seed }) => seed)).toEqual([4, 4, 5, 5]);
    expect(experiment.at_most).toBe(1);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['an unknown baseline', { baseline: 'c' }, /experiment\.baseline: expected one of the arms \(a, b\), got "c"/],
    ['one arm', { arms: { a: {} } }, /experiment\.arms: expected at least two arms, got 1/],
    ['an unknown field', { arm: {} }, /experiment\.arm: unknown key/],
    ['a field of no recipe', { arms: { a: {}, b: { 'grpo.step': 1 } } }, /arm b: recipe\.grpo\.step: unknown key/],
    ['a value out of bounds', { arms: { a: {}, b: { 'grpo.steps': 0 } } }, /arm b: recipe\.grpo\.steps: .*got 0/],
    [
      'a path that is none',
      { arms: { a: {}, b: { 'grpo..x': 0 } } },
      /arms\.b\.grpo\.\.x: expected a field of the recipe, such as grpo\.reward\.shape, got/,
    ],
    ['a seed twice', { seeds: [1, 1] }, /experiment\.seeds: expected each seed once, got 1 again/],
    ['an arm of grid and list', { grid: { g: { a: {} } } }, /expected each arm once, got "a" again/],
    [
      'a direction of an unknown arm',
      { directions: [{ says: 's', metric: 'srcc', arm: 'z', is: 'higher' }] },
      /experiment\.directions\.0\.arm: expected one of the arms \(a, b\), got "z"/,
    ],
    [
      'too many runs',
      { grid: Object.fromEntries([1, 2, 3].map((axis) => [`g${axis}`, axisOf(5)])) },
      new RegExp(`expected at most ${mostMembers} runs, got 127`),
    ],
    [
      'arms on two clusters',
      { arms: { a: {}, b: { cluster: 'x' } } },
      /recipe\.cluster: expected one cluster for all arms, got the one without a name, x/,
    ],
    [
      'a recipe that is not there',
      { recipe: 'nowhere.yaml' },
      /recipe ".*nowhere\.yaml": expected a readable YAML file/,
    ],
  ])('with %s is refused, by field, value and expectation', async (_what, fields, sentence) => {
    expect(String(await rejection(read(fields)))).toMatch(sentence);
  });

  it('tells of its own faults, of those of its arms and of missing folders at once', async () => {
    const faulty = {
      baseline: 'c',
      seeds: [1, -1],
      arm: {},
      set: { base_model: '../nowhere' },
      arms: { a: {}, b: { 'grpo.steps': 0, 'grpo..x': 1 } },
    };
    const said = String(await rejection(read(faulty)));
    for (const sentence of [
      /: 6 faults\n/,
      /experiment\.arm: unknown key/,
      /experiment\.seeds\.1: expected .* got -1/i,
      /experiment\.arms\.b\.grpo\.\.x: expected a field of the recipe/,
      /experiment\.baseline: expected one of the arms \(a, b\), got "c"/,
      /arm a: recipe\.base_model: expected an existing folder/,
      /arm b: recipe\.grpo\.steps: .*got 0/,
    ]) {
      expect(said).toMatch(sentence);
    }
  });

  it('says a fault that all arms have once', async () => {
    const error = await rejection(read({ set: { base_model: '../nowhere' } }));
    expect(String(error)).toMatch(/: 1 fault\n {2}all arms: recipe\.base_model: expected an existing folder/);
  });

  it.each<[string, Record<string, unknown>]>([
    ['arms are no mapping', { arms: 5 }],
    ['the name of an arm is none', { arms: { a: {}, '.b': {} }, baseline: 'c' }],
  ])('says nothing of names of arms where %s', async (_what, fields) => {
    expect(String(await rejection(read(fields)))).toMatch(/: 1 fault\n {2}experiment\.arms/);
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [
      { metric: 'tokens_sampled' },
      /directions\.0\.than: expected an arm, or "of: gain": tokens_sampled of one critic is always above zero/,
    ],
    [{ metric: 'rmse', of: 'sft' }, /directions\.0\.than: expected an arm/],
    [{ metric: 'main_score', than: 'b' }, /directions\.0\.than: expected another arm than "b" itself/],
  ])('whose sentence %j would be true or false of anything is refused', async (fields, sentence) => {
    const given = read({ directions: [{ says: 's', arm: 'b', is: 'higher', ...fields }] });
    expect(String(await rejection(given))).toMatch(sentence);
  });

  it('may compare a gain or a correlation with zero', async () => {
    const of = (fields: object) => ({ says: 's', arm: 'b', is: 'higher', ...fields });
    const directions = [of({ metric: 'tokens_sampled', of: 'gain' }), of({ metric: 'main_score' })];
    expect((await read({ directions })).directions).toHaveLength(2);
  });

  it('with more combinations than a machine can hold is refused at once', async () => {
    const grid = Object.fromEntries(Array.from({ length: 30 }, (_, axis) => [`g${axis}`, axisOf(9)]));
    expect(String(await rejection(read({ grid })))).toMatch(/expected at most 64 runs, got 4\.2/);
  });

  it('says the same fault of an arm once, whatever seeds there are', async () => {
    const error = await rejection(read({ seeds: [1, 2, 3], arms: { a: {}, b: { 'grpo.steps': 0 } } }));
    expect(String(error)).toMatch(/: 1 fault\n/);
  });

  it.each(
    readdirSync(join(root, 'experiments'), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.yaml')),
  )('experiments/%s is one', async (name) => {
    const { members, arms, seeds } = await readExperiment(join(root, 'experiments', name), { dataset: data });
    expect(members).toHaveLength(arms.length * seeds.length);
  });
});

function axisOf(count: number): Record<string, object> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`v${index}`, {}]));
}
