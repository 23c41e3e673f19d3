import { describe, expect, it } from 'vitest';
import type { Stage } from '../../domain/names.ts';
import type { Recipe } from '../../domain/recipe.ts';
import { enginesIn, inOrder, isJob, stageGraph, type StageNode, upstream } from '../../domain/stage-graph.ts';
import { foretellKeys, ingredientsOfJob } from '../../domain/stage-keys.ts';
import { makePlan, type WholeRecipe } from '../activities/fixtures.ts';

const { recipe } = makePlan('/d');
const surroundings = {
  trainer: '/store/code/abc',
  baseModel: { key: 'base' },
  engines: { llamafactory: {}, trl: {}, transformers: {} },
};

/** Keys that can be read: the stage and a number that follows from all that determines it. */
function keysOf(graph: readonly StageNode[]): Map<Stage, string> {
  return foretellKeys(graph, (node, keyOf) => {
    if (isJob(node)) return JSON.stringify(ingredientsOfJob(node, surroundings, keyOf));
    return ['evaluation', 'gate', 'report'].includes(node.kind)
      ? undefined
      : `${node.name} of ${upstream(node).join()}`;
  });
}

/** Stages whose keys differ, as a change of the recipe makes them. */
function changedBy(change: (copy: WholeRecipe) => void): Stage[] {
  const copy = structuredClone(recipe);
  change(copy);
  const [before, after] = [keysOf(stageGraph(recipe)), keysOf(stageGraph(copy))];
  return [...before.keys()].filter((stage) => before.get(stage) !== after.get(stage));
}

function refusal(change: (nodes: StageNode[]) => StageNode[]): string {
  try {
    inOrder(change(stageGraph(recipe)));
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return 'it was taken';
}

describe('the stage graph', () => {
  it('has the stages of a run in the order in which a person reads them', () => {
    expect(
      stageGraph(recipe)
        .map(({ name }) => name)
        .join(' '),
    ).toBe('dataset synthesis prompts mix sft grpo predict-base predict-sft predict-grpo evaluation gate report');
  });

  it('writes the report when all else has ended', () => {
    const names = stageGraph(recipe).map(({ name }) => name);
    expect(names.at(-1)).toBe('report');
    expect(stageGraph(recipe).map(upstream).at(-1)?.toSorted()).toEqual(names.slice(0, -1).toSorted());
  });

  it('says which model each job takes, and which the operator may skip', () => {
    const jobs = stageGraph(recipe).filter(isJob);
    expect(jobs.map(({ name, model, canSkip }) => [name, model, canSkip])).toEqual([
      ['sft', 'base', false],
      ['grpo', 'sft', false],
      ['predict-base', 'base', true],
      ['predict-sft', 'sft', true],
      ['predict-grpo', 'grpo', false],
    ]);
  });

  const names = (arm: Partial<Recipe>) =>
    stageGraph({ ...recipe, ...arm })
      .map(({ name }) => name)
      .join(' ');

  it('has no stage of SFT where the recipe has none, and GRPO begins from the base model', () => {
    const arm = { ...recipe, sft: 'none' as const };
    expect(names(arm)).toBe('dataset prompts grpo predict-base predict-grpo evaluation gate report');
    expect(stageGraph(arm).find(({ name }) => name === 'grpo')).toMatchObject({ model: 'base' });
    expect(enginesIn(arm)).toEqual(['trl', 'transformers']);
  });

  it.each<[string, Partial<Recipe>]>([
    ['none is wanted', { synthesis: 'none' }],
    ['people wrote the critiques', { synthesis: 'human' }],
    ['SFT learns bare scores alone', { mix: { cot: 0, direct: 1 } }],
  ])('asks no teacher where %s', (_what, arm) => {
    expect(names(arm)).toBe(
      'dataset prompts mix sft grpo predict-base predict-sft predict-grpo evaluation gate report',
    );
  });

  it('says what a job must do, from the counts of what it is made from', () => {
    const counts: Partial<Record<Stage, Record<string, number>>> = { mix: { records: 101 }, prompts: { test: 7 } };
    const planned = stageGraph(recipe)
      .filter(isJob)
      .map((node) => node.planned((stage) => counts[stage] ?? {}));
    const predictions = { steps: null, rows: 7 };
    expect(planned).toEqual([
      { steps: 26, rows: null },
      { steps: 1, rows: null },
      predictions,
      predictions,
      predictions,
    ]);
  });

  it('gives jobs no resources or threads among what determines their output', () => {
    for (const node of stageGraph(recipe).filter(isJob)) {
      expect(Object.keys(node.params)).not.toEqual(expect.arrayContaining(['resources']));
      expect(Object.keys(node.params)).not.toEqual(expect.arrayContaining(['threads']));
      expect(node.resources).toMatchObject({ time_limit_minutes: 10 });
    }
  });
});

describe('a change of the recipe changes the keys of', () => {
  const jobs = ['sft', 'grpo', 'predict-base', 'predict-sft', 'predict-grpo'];
  it('makes nothing again for another pace of checkpoints', () => {
    expect(
      changedBy((copy) => {
        copy.sft.save_steps += 1;
        copy.grpo.save_steps += 1;
      }),
    ).toEqual([]);
    const onRay = { ...recipe, grpo: { ...recipe.grpo, engine: 'verl' as const, max_lost_minutes: 30 } };
    const [grpo] = stageGraph(onRay).flatMap((node) => (node.kind === 'grpo' ? [node] : []));
    if (grpo === undefined) throw new Error('no grpo');
    const { params } = ingredientsOfJob(grpo, { ...surroundings, engines: { verl: {} } }, () => 'key');
    for (const name of ['max_lost_minutes', 'save_limit', 'save_steps']) {
      expect(grpo.params).toHaveProperty(name);
      expect(params).not.toHaveProperty(name);
    }
    expect(params).toHaveProperty('validate_steps');
  });

  it.each<[string, (copy: WholeRecipe) => void, string[]]>([
    [
      'GRPO and what follows, if it is the reward’s',
      (copy) => (copy.grpo.reward.shape = 'l2'),
      ['grpo', 'predict-grpo'],
    ],
    [
      'all trainings and what follows, if it is SFT’s',
      (copy) => (copy.sft.epochs = 3),
      ['sft', 'grpo', 'predict-sft', 'predict-grpo'],
    ],
    ['predictions, if it is theirs', (copy) => (copy.predict.max_new_tokens = 11), jobs.slice(2)],
    ['all jobs, if it is the seed', (copy) => (copy.seed = 2), jobs],
    ['nothing, if it is where a job runs', (copy) => (copy.sft.resources.cpus = 9), []],
    ['nothing, if it is the number of threads', (copy) => (copy.grpo.threads = 9), []],
  ])('%s', (_what, change, stages) => {
    expect(changedBy(change)).toEqual(stages);
  });
});

describe('a graph', () => {
  const other = 'predict-base.other';

  it('is put into an order in which it can be made, whatever order it is given in', () => {
    const ordered = inOrder(stageGraph(recipe).toReversed());
    const placed = new Set<Stage>();
    for (const node of ordered) {
      expect(upstream(node).filter((name) => !placed.has(name))).toEqual([]);
      placed.add(node.name);
    }
    expect(placed.size).toBe(stageGraph(recipe).length);
  });

  it('with a stage that needs one which is not there is refused', () => {
    expect(refusal((nodes) => nodes.filter(({ name }) => name !== 'mix'))).toBe(
      'stage "sft" needs "mix", which is no stage of the graph',
    );
    expect(refusal((nodes) => nodes.filter(({ name }) => name !== 'sft'))).toContain('needs "sft", which is no stage');
  });

  it('with stages that wait for each other is refused, and says which', () => {
    const circle = (nodes: StageNode[]) =>
      nodes.map((node) => (node.kind === 'sft' ? { ...node, model: 'grpo' as const } : node));
    expect(refusal(circle)).toMatch(/^stages wait for each other: sft, grpo, predict-sft, /);
    const alone = (nodes: StageNode[]) =>
      nodes.map((node) =>
        node.kind === 'mix' ? { ...node, inputs: { ...node.inputs, synthesis: 'mix' as const } } : node,
      );
    expect(refusal(alone)).toContain('stages wait for each other: mix, ');
  });

  it('with a stage that could not do without one which may be skipped is refused', () => {
    const judged = (nodes: StageNode[]) =>
      nodes.map((node) =>
        node.kind === 'gate' ? { ...node, inputs: { ...node.inputs, predictions: 'predict-sft' as const } } : node,
      );
    expect(refusal(judged)).toBe('stage "gate" needs "predict-sft", which the operator may skip');
  });

  it('with a name that no folder or job could have is refused', () => {
    const named = (name: `predict-${string}`) => (nodes: StageNode[]) =>
      nodes.map((node) => (node.kind === 'predict' && node.name === 'predict-base' ? { ...node, name } : node));
    expect(refusal(named('predict-../x'))).toContain('stage "predict-../x": expected one of dataset, ');
    expect(refusal(named('predict-a-name-of-two'))).toContain('expected one of dataset, ');
  });

  it('with one name twice is refused', () => {
    expect(refusal((nodes) => [...nodes, ...nodes.slice(0, 1)])).toBe('two stages of the graph have one name');
  });

  it('takes another prediction of another seed as one more entry, with a key of its own and nobody else’s changed', () => {
    const graph = stageGraph(recipe);
    const more = inOrder([
      ...graph,
      ...graph.flatMap((node) =>
        node.name === 'predict-base' && isJob(node) && node.kind === 'predict'
          ? [{ ...node, name: other, seed: 2 } as const]
          : [],
      ),
    ]);
    const [before, after] = [keysOf(graph), keysOf(more)];
    expect(after.get(other)).not.toBe(after.get('predict-base'));
    after.delete(other);
    expect(after).toEqual(before);
  });

  it('does without a cold start: GRPO then takes the base model, and no key of SFT is in its own', () => {
    const cold: StageNode[] = stageGraph(recipe).flatMap((node): StageNode[] => {
      if (node.kind === 'sft' || node.name === 'predict-sft') return [];
      if (node.kind === 'grpo') return [{ ...node, model: 'base' }];
      if (node.kind === 'report') return [{ ...node, inputs: { gate: 'gate' } }];
      if (node.kind !== 'evaluation') return [node];
      return [{ ...node, inputs: { dataset: 'dataset', 'predict-grpo': 'predict-grpo' } }];
    });
    const keys = keysOf(inOrder(cold));
    expect(keys.get('grpo')).toContain('"model":"base"');
    expect([...keys.keys()]).toEqual([
      'dataset',
      'synthesis',
      'prompts',
      'mix',
      'grpo',
      'predict-base',
      'predict-grpo',
    ]);
  });
});
