/**
 * Gathers what the runs of an experiment have left: judged answers, training numbers, costs. It only reads. A run whose files cannot be read is left out and
 * named; a store that does not answer fails the activity, which is tried again.
 */
import { Context } from '@temporalio/activity';
import type { MemberItems } from '../../domain/experiment/measuring.ts';
import type { EndedMember, MemberView } from '../../domain/experiment/experiment.ts';
import { isStage, paths, type Stage } from '../../domain/names.ts';
import { readJudgedItems } from '../evaluation/evaluation-file.ts';
import { toFailure } from '../failure.ts';
import { readMetrics } from '../jobs/attempt-metrics.ts';
import { readManifest } from '../store/artifact-store.ts';
import type { MemberCost, MemberReport, Spent, TrainingPoint } from './data.ts';

/** Points of a curve that a page can show. */
const mostPoints = 1000;

export interface Gathered {
  report: MemberReport;
  items?: MemberItems;
}

export async function gatherMember(root: string, { artifacts, ...member }: EndedMember): Promise<Gathered> {
  const bare: MemberReport = { ...member, cost: null, training: [], files: null };
  if (member.run === null) return { report: { ...bare, missing: 'it has no run' } };
  try {
    return await readMember(root, member, member.run, artifacts);
  } catch (error) {
    const signal = Context.current().cancellationSignal;
    const failure = toFailure(error, `read what run ${member.run} has left`, signal);
    if (!('nonRetryable' in failure) || failure.nonRetryable !== true) throw failure;
    return { report: { ...bare, missing: failure.message } };
  }
}

async function readMember(
  root: string,
  member: MemberView,
  run: string,
  artifacts: Partial<Record<Stage, string>>,
): Promise<Gathered> {
  const folders = foldersOf(root, artifacts);
  const { evaluation, grpo } = folders;
  const below = (path: string) => path.slice(root.length + 1);
  const report: MemberReport = {
    ...member,
    cost: await costOf(run, Object.values(folders)),
    training: grpo === undefined ? [] : await trainingOf(grpo),
    files: {
      report: below(`${paths.run(root, run)}/report.html`),
      evaluation: evaluation === undefined ? null : below(`${evaluation}/items.jsonl`),
      metrics: grpo === undefined ? null : below(`${grpo}/metrics.jsonl`),
    },
  };
  if (evaluation === undefined) return { report: { ...report, missing: 'it was not evaluated' } };
  const sft = await readJudgedItems(evaluation, 'sft');
  const items: MemberItems = {
    arm: member.arm,
    seed: member.seed,
    grpo: await readJudgedItems(evaluation, 'grpo'),
    start: sft.length > 0 ? sft : await readJudgedItems(evaluation, 'base'),
    hasSft: sft.length > 0,
  };
  return { report, items };
}

/** An experiment that began under an earlier release gives folders. */
function foldersOf(root: string, artifacts: EndedMember['artifacts']): Partial<Record<Stage, string>> {
  const found: Partial<Record<Stage, string>> = {};
  for (const [stage, key] of Object.entries(artifacts)) {
    if (isStage(stage) && key !== undefined) found[stage] = key.includes('/') ? key : paths.artifact(root, stage, key);
  }
  return found;
}

async function trainingOf(grpo: string): Promise<TrainingPoint[]> {
  const rows = await readMetrics(grpo);
  const every = Math.ceil(rows.length / mostPoints);
  const number = (value: unknown) => (typeof value === 'number' ? value : null);
  return rows
    .filter((_, index) => index % every === 0)
    .map((row) => ({ step: row.step, length: number(row['response_length']), reward: number(row['reward']) }));
}

async function costOf(run: string, artifacts: readonly (string | undefined)[]): Promise<MemberCost> {
  const cost: MemberCost = { own: { gpuHours: 0, usd: 0 }, taken: { gpuHours: 0, usd: 0 } };
  for (const path of artifacts) {
    if (path === undefined) continue;
    const { made_by: by, cost: spent } = await readManifest(path);
    const place: Spent = by.run === run ? cost.own : cost.taken;
    place.gpuHours += spent.gpu_hours ?? 0;
    place.usd += spent.usd ?? 0;
  }
  return cost;
}
