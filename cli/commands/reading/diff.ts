/** `critic diff`: two runs beside each other: what their recipes say otherwise, which artifacts differ, and how their critics measure. */
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { clusterInWords } from '../../../domain/clusters.ts';
import { metricNames } from '../../../domain/evaluation/evaluation.ts';
import type { RunPlan } from '../../../domain/plan.ts';
import { textTable } from '../../../domain/text-table.ts';
import { aRun } from '../../arguments.ts';
import { CliError } from '../../cli-error.ts';
import { clusterOfRun } from '../../cluster.ts';
import { inquire } from '../../inquire.ts';
import { artifactKeys, requireRun } from '../../run-artifacts.ts';
import { fitted } from '../../views/run-text.ts';
import { fittedTable, usualColumns } from '../../views/table.ts';
import { type Register, textOf, type View, type ViewOptions, withClient } from '../../shell.ts';

const interval = z.tuple([z.number(), z.number()]).nullable();
const metrics = z.partialRecord(z.enum(metricNames), z.object({ value: z.number().nullable(), interval }));
const compared = z.object({
  ours: metrics,
  theirs: metrics,
  estimate: z.number().nullable(),
  interval,
  paired: z.boolean(),
});
const difference = z.object({
  runs: z.tuple([z.string(), z.string()]),
  /** Fields of the recipes with other values; null: the field is not there. */
  recipe: z.array(z.object({ field: z.string(), values: z.tuple([z.unknown(), z.unknown()]) })),
  /** Stages of either run with the keys of their artifacts. null: none yet. */
  stages: z.array(z.object({ stage: z.string(), keys: z.tuple([z.string().nullable(), z.string().nullable()]) })),
  /** Of the critics after GRPO; `estimate` is the first run's MainScore − the second one's. null: not both are measured. */
  metrics: compared.nullable(),
});
export type RunDifference = z.output<typeof difference>;
export const diffView: View<RunDifference> = { schema: difference, lines: linesOf };

/** The worker has checked the plan; only the recipe is looked at. */
const planReply = z.object({
  plan: z.custom<RunPlan>((value) => z.looseObject({ recipe: z.looseObject({}) }).safeParse(value).success).nullable(),
});

/** Throws a CliError for one run twice, for runs of two clusters, and for one that nobody knows. */
export async function diff(client: Client, runs: [string, string]): Promise<RunDifference> {
  if (runs[0] === runs[1])
    throw new CliError(`run ${runs[0]}: expected another run beside it, got the same one; "critic status" shows one`);
  await requireOneCluster(client, runs);
  const [ours, theirs] = [await recipeOf(client, runs[0]), await recipeOf(client, runs[1])];
  const [one, other] = [await artifactKeys(client, runs[0]), await artifactKeys(client, runs[1])];
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  const measured = [one['evaluation'], other['evaluation']];
  const [a, b] = measured;
  const seed = typeof ours['seed'] === 'number' ? ours['seed'] : 1;
  return {
    runs,
    recipe: fieldsThatDiffer(ours, theirs),
    stages: names.map((stage) => ({ stage, keys: [one[stage] ?? null, other[stage] ?? null] })),
    metrics:
      a === undefined || b === undefined
        ? null
        : await inquire(client, 'compare', { ours: a, theirs: b, seed }, compared, runs[0]),
  };
}

/** What they measured is in their clusters' stores. */
async function requireOneCluster(client: Client, [run, other]: [string, string]): Promise<void> {
  const [ours, theirs] = [await clusterOfRun(client, run), await clusterOfRun(client, other)];
  if (ours === theirs) return;
  throw new CliError(
    `runs ${run}, ${other}: expected two of one cluster, got one of ${clusterInWords(ours)} and one of ${clusterInWords(theirs)}`,
  );
}

async function recipeOf(client: Client, run: string): Promise<Record<string, unknown>> {
  const { plan } = await inquire(client, 'plan', { run }, planReply);
  if (plan !== null) return { ...plan.recipe };
  await requireRun(client, run);
  throw new CliError(`run "${run}": expected one whose plan the store or Temporal has, got none`);
}

/** Leaves by dotted names. A list is one leaf. */
function leaves(value: unknown, prefix = ''): [string, unknown][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[prefix, value]];
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, prefix === '' ? name : `${prefix}.${name}`));
}

function fieldsThatDiffer(ours: object, theirs: object): RunDifference['recipe'] {
  const [one, other] = [new Map(leaves(ours)), new Map(leaves(theirs))];
  return [...new Set([...one.keys(), ...other.keys()])]
    .filter((field) => JSON.stringify(one.get(field)) !== JSON.stringify(other.get(field)))
    .map((field) => ({ field, values: [one.get(field) ?? null, other.get(field) ?? null] }));
}

function linesOf({ runs, recipe, stages, metrics: measured }: RunDifference, columns: number = usualColumns): string[] {
  const shown = (value: unknown) => (value === null ? '–' : JSON.stringify(value));
  const same = stages.filter(({ keys: [a, b] }) => a === b).map(({ stage }) => stage);
  const other = stages.filter(({ keys: [a, b] }) => a !== b);
  return [
    `1  ${runs[0]}`,
    `2  ${runs[1]}`,
    '',
    ...(recipe.length === 0
      ? ['The recipes are the same.']
      : fittedTable(
          [['RECIPE', '1', '2'], ...recipe.map(({ field, values: [a, b] }) => [field, shown(a), shown(b)])],
          [2, 1, 0],
          columns,
        )),
    '',
    ...(same.length === 0 ? [] : fitted(`Same artifacts: ${same.join(', ')}`, columns)),
    ...textTable(
      other.length === 0
        ? []
        : [
            ['OTHER ARTIFACTS', '1', '2'],
            ...other.map(({ stage, keys: [a, b] }) => [stage, a?.slice(0, 12) ?? '–', b?.slice(0, 12) ?? '–']),
          ],
    ),
    '',
    ...(measured === null ? ['Not both are measured yet.'] : metricLines(measured)),
  ];
}

function metricLines({ ours, theirs, estimate, interval: range, paired }: z.output<typeof compared>): string[] {
  const cell = (one: { value: number | null; interval: readonly [number, number] | null } | undefined) => {
    if (one === undefined || one.value === null) return '–';
    const number = (value: number) => value.toFixed(Math.abs(value) >= 10 ? 1 : 3);
    return one.interval === null
      ? number(one.value)
      : `${number(one.value)} [${number(one.interval[0])}, ${number(one.interval[1])}]`;
  };
  const rows = metricNames
    .filter((name) => ours[name] !== undefined || theirs[name] !== undefined)
    .map((name) => [name, cell(ours[name]), cell(theirs[name])]);
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
  const how = paired ? 'on the same pairs' : 'unpaired: measured on other pairs';
  return [
    ...textTable([['AFTER GRPO (95 %)', '1', '2'], ...rows]),
    estimate === null || range === null
      ? 'MainScore 1 − 2: the difference cannot be measured'
      : `MainScore 1 − 2: ${signed(estimate)} (${signed(range[0])} to ${signed(range[1])}), ${how}`,
  ];
}

export const registerDiff: Register = (program, shell) => {
  program
    .command('diff')
    .argument('<run>', 'the first run', aRun)
    .argument('<other>', 'the run beside it', aRun)
    .option('--json', 'print the differences as JSON')
    .description('compare two runs: recipes, artifacts, metrics with 95 % intervals')
    .addHelpText('after', '\nExample: critic diff demo-20261128-190000 demo-20261127-190000')
    .action(async (run: string, other: string, options: ViewOptions) => {
      const value = await withClient(shell, (client) => diff(client, [run, other]));
      shell.stdout.write(`${textOf(diffView, value, options, shell.stdout)}\n`);
    });
};
