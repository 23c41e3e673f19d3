/**
 * The stage graph: which stages a run of a recipe has, what each is made from, and what a job is asked to do. All this
 * is said only here: the run walks the graph, the plan reads it, and both take keys from it (`domain/stage-keys.ts`).
 *
 * It does not say how a stage is made: `workflows/train-critic.ts` has one case for each kind.
 */
import type { Params, Planned } from './engines/engine.ts';
import type { EngineName } from './engines/registry.ts';
import {
  isStage,
  type JobKind,
  type JobStage,
  type Stage,
  stageExpected,
  type StageKind,
  type StageOf,
} from './names.ts';
import { jobEngine, jobParams, jobPlacement, jobPlanned } from './plan.ts';
import type { Recipe, Resources, SftSettings } from './recipe.ts';
import { sftOf, teacherOf } from './recipe/arms.ts';

/** What a stage of each kind is made from: its inputs by role. */
interface Roles {
  dataset: never;
  synthesis: 'dataset';
  prompts: 'dataset';
  mix: 'dataset';
  tokenize: 'dataset' | 'mix';
  /** The dataset, and `mix`, or `tokenized`, which was made of it. */
  sft: string;
  grpo: 'dataset' | 'prompts';
  predict: 'dataset' | 'prompts';
  /** The dataset, and predictions by the names of their stages. Skipped ones are left out. */
  evaluation: string;
  gate: 'evaluation' | 'candidate' | 'predictions';
  /** All other stages of the run, by their names. */
  report: string;
}

/** What a stage of a kind may also be made from: the mix of critiques, where a teacher writes them. */
interface MoreRoles {
  mix: 'synthesis';
}

interface Node<Kind extends StageKind> {
  kind: Kind;
  name: StageOf<Kind>;
  /** Stages by role. The run waits for all of them. */
  inputs: Readonly<
    Record<Roles[Kind], Stage> & (Kind extends keyof MoreRoles ? { [Role in MoreRoles[Kind]]?: Stage } : unknown)
  >;
}

/** Counts of artifacts, such as `records` or rows of a split. */
export type Counts = Readonly<Record<string, number>>;

interface Job<Kind extends JobKind> extends Node<Kind> {
  /** Whose model the job takes: the recipe's base model, or what another job made. */
  model: 'base' | JobStage;
  /** The engine that does the work inside the job. */
  engine: EngineName;
  /** Together with seed, model and inputs these determine the output. */
  params: Params;
  seed: number;
  threads: number;
  resources: Resources;
  /** Steps or rows, from the counts of artifacts upstream. */
  planned: (countsOf: (stage: Stage) => Counts) => Planned;
  /** May the operator skip it? Only evaluation and report may have it among their inputs, since they can do without it. */
  canSkip: boolean;
}

/** A stage that is made by activities alone. */
export type StepNode = { [Kind in Exclude<StageKind, JobKind>]: Node<Kind> }[Exclude<StageKind, JobKind>];
export type StepOf<Kind extends StepNode['kind']> = Extract<StepNode, { kind: Kind }>;
/** A stage whose work is a Slurm job. */
export type JobNode = { [Kind in JobKind]: Job<Kind> }[JobKind];
export type StageNode = StepNode | JobNode;

/** All stages of a run of this recipe, in an order in which they can be made, and in which people read them. */
export function stageGraph(recipe: Recipe): StageNode[] {
  const dataset = 'dataset';
  const asked = { dataset, prompts: 'prompts' } as const;
  const predictions = (name: StageOf<'predict'>, model: 'base' | JobStage, canSkip: boolean): StageNode => ({
    kind: 'predict',
    name,
    inputs: asked,
    model,
    ...settings(name, recipe),
    planned: (countsOf) => jobPlanned(name, recipe, { records: 0, rows: countsOf(asked.prompts)['test'] ?? null }),
    canSkip,
  });
  const learned = sftOf(recipe);
  const isTaught = teacherOf(recipe) !== undefined;
  const stages: StageNode[] = [
    { kind: 'dataset', name: dataset, inputs: {} },
    ...(isTaught ? [{ kind: 'synthesis', name: 'synthesis', inputs: { dataset } } as const] : []),
    { kind: 'prompts', name: 'prompts', inputs: { dataset } },
    ...(learned === undefined ? [] : sftStages(recipe, learned, isTaught)),
    {
      kind: 'grpo',
      name: 'grpo',
      inputs: asked,
      model: learned === undefined ? 'base' : 'sft',
      ...settings('grpo', recipe),
      planned: () => jobPlanned('grpo', recipe, { records: 0, rows: null }),
      canSkip: false,
    },
    predictions('predict-base', 'base', true),
    ...(learned === undefined ? [] : [predictions('predict-sft', 'sft', true)]),
    predictions('predict-grpo', 'grpo', false),
    {
      kind: 'evaluation',
      name: 'evaluation',
      inputs: {
        dataset,
        'predict-base': 'predict-base',
        ...(learned === undefined ? {} : { 'predict-sft': 'predict-sft' }),
        'predict-grpo': 'predict-grpo',
      },
    },
    {
      kind: 'gate',
      name: 'gate',
      inputs: { evaluation: 'evaluation', candidate: 'grpo', predictions: 'predict-grpo' },
    },
  ];
  const all = Object.fromEntries(stages.map(({ name }) => [name, name]));
  return inOrder([...stages, { kind: 'report', name: 'report', inputs: all }]);
}

/** What makes the model from which GRPO begins: the records, and the jobs that learn from them. */
function sftStages(recipe: Recipe, { tokenize }: SftSettings, isTaught: boolean): StageNode[] {
  const dataset = 'dataset';
  const records = (countsOf: (stage: Stage) => Counts) => ({ records: countsOf('mix')['records'] ?? 0, rows: null });
  const job = (name: 'tokenize' | 'sft') => ({
    model: 'base' as const,
    ...settings(name, recipe),
    planned: (countsOf: (stage: Stage) => Counts) => jobPlanned(name, recipe, records(countsOf)),
    canSkip: false,
  });
  const mix: StageNode = {
    kind: 'mix',
    name: 'mix',
    inputs: { dataset, ...(isTaught ? { synthesis: 'synthesis' } : {}) },
  };
  if (tokenize === undefined) {
    return [mix, { kind: 'sft', name: 'sft', inputs: { dataset, mix: 'mix' }, ...job('sft') }];
  }
  return [
    mix,
    { kind: 'tokenize', name: 'tokenize', inputs: { dataset, mix: 'mix' }, ...job('tokenize') },
    { kind: 'sft', name: 'sft', inputs: { dataset, tokenized: 'tokenize' }, ...job('sft') },
  ];
}

/** What the recipe says about this kind of job. */
function settings(
  name: JobStage,
  recipe: Recipe,
): Pick<JobNode, 'engine' | 'params' | 'seed' | 'threads' | 'resources'> {
  const { threads, resources } = jobPlacement(name, recipe);
  return { engine: jobEngine(name, recipe), params: jobParams(name, recipe), seed: recipe.seed, threads, resources };
}

/** Names of all stages of a run of this recipe, as a person reads them. */
export function stageNames(recipe: Recipe): Stage[] {
  return stageGraph(recipe).map(({ name }) => name);
}

/** Engines that the jobs of this recipe use. */
export function enginesIn(recipe: Recipe): EngineName[] {
  return [...new Set(stageGraph(recipe).flatMap((node) => (isJob(node) ? [node.engine] : [])))];
}

export function isJob(node: StageNode): node is JobNode {
  return 'model' in node;
}

/** Stages that must have ended before this one can begin. */
export function upstream(node: StageNode): Stage[] {
  const inputs = Object.values<Stage>(node.inputs);
  return isJob(node) && node.model !== 'base' ? [...inputs, node.model] : inputs;
}

/**
 * The same stages, each after all that it is made from, and otherwise in the given order. Throws if a run would never end or would hit a bug:
 * two stages have one name, a name is no stage's, a stage needs one that is not there or may be skipped, or stages wait for each other.
 */
export function inOrder(nodes: readonly StageNode[]): StageNode[] {
  const names = new Set<string>(nodes.map(({ name }) => name));
  const misnamed = [...names].find((name) => !isStage(name));
  if (misnamed !== undefined) throw new Error(`stage "${misnamed}": expected ${stageExpected}`);
  if (names.size < nodes.length) throw new Error('two stages of the graph have one name');
  const skippable = new Set<Stage>(nodes.flatMap((node) => (isJob(node) && node.canSkip ? [node.name] : [])));
  for (const node of nodes) {
    const unknown = upstream(node).find((name) => !names.has(name));
    if (unknown !== undefined)
      throw new Error(`stage "${node.name}" needs "${unknown}", which is no stage of the graph`);
    const doesWithout = node.kind === 'evaluation' || node.kind === 'report';
    const absent = doesWithout ? undefined : upstream(node).find((name) => skippable.has(name));
    if (absent !== undefined) throw new Error(`stage "${node.name}" needs "${absent}", which the operator may skip`);
  }
  const placed = new Set<Stage>();
  let left = [...nodes];
  while (left.length > 0) {
    const next = left.find((node) => upstream(node).every((name) => placed.has(name)));
    if (next === undefined) throw new Error(`stages wait for each other: ${left.map(({ name }) => name).join(', ')}`);
    placed.add(next.name);
    left = left.filter((node) => node !== next);
  }
  return [...placed].flatMap((name) => nodes.find((node) => node.name === name) ?? []);
}
