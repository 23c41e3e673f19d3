/**
 * Examining a partition: a job of a minute that looks at its nodes (`trainer/critic_trainer/examination/`), from the request to the
 * findings in one activity. It is submitted as attempts are: the intent is on disk before the POST, and the job's name is its key.
 *
 * kill -9 at any point: the next try adopts the job by its name and reads what it left. If it is cancelled, the workflow cancels the job by
 * its name. What the job wrote is distrusted and checked with zod.
 */
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { isTerminal, type SlurmJob } from 'slurm-rest-client';
import * as z from 'zod';
import { enginesOfKind, type EngineName } from '../../domain/engines/registry.ts';
import {
  type CollectiveFindings,
  type EnvironmentToImport,
  type Examined,
  examinationFolder,
  type ExaminationOrder,
  type NodeFindings,
  problemsOf,
  renderExamination,
} from '../../domain/examination.ts';
import { cut } from '../../domain/errors.ts';
import { attemptFiles } from '../../domain/names.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { heartbeating } from '../heartbeating.ts';
import { byEnvironment, environmentOf } from '../store/environments.ts';
import { writeFileAtomic } from '../store/durable-file.ts';
import { importTrainer, type ImportDeps } from '../store/imports.ts';
import { findJson, tailText } from './attempt-files.ts';
import type { JobDeps } from './deps.ts';
import { submitOnce } from './submission.ts';

const lookMs = 2_000;
/** A job that slurmctld has forgotten, or files that this host sees late. */
const lateMs = 90_000;
const text = z.string().max(2000);
const number = z.number();
const error = text.nullable();
const nodeSchema: z.ZodType<NodeFindings> = z.object({
  host: text,
  cpus: number,
  memory_mib: number,
  shm_mib: number,
  gpus: z.object({
    found: z.array(z.object({ name: text, memory_mib: number })).max(64),
    driver: error,
    error,
  }),
  environments: z.array(z.object({ engines: z.array(text).max(16), python: text, seconds: number, error })).max(16),
  store: z.object({ write_mib_s: number, read_mib_s: number, free_mib: number, error }),
  model: z.object({ path: z.string().max(8192), files: number, mib: number, error }).nullable(),
});
const collectiveSchema: z.ZodType<CollectiveFindings> = z.object({
  backend: text,
  ranks: number,
  gib_s: number.nullable(),
  error,
});

export function createExaminingActivities(deps: JobDeps & ImportDeps) {
  return {
    /** Has a job look at the nodes of a partition. What is wrong there is in the answer; Slurm being away is an error that is tried again. */
    async examinePartition(order: ExaminationOrder): Promise<Examined> {
      const partition = order.partition ?? null;
      const failed = (jobId: string | null, why: string): Examined => ({
        partition,
        jobId,
        nodes: [],
        collective: null,
        problems: [why],
      });
      const folder = examinationFolder(deps.store.root, order);
      const job = await heartbeating('submitting', () => submit(order, folder, deps));
      if (job.refused !== undefined) return failed(null, `Slurm refused the job: ${job.refused}`);
      const end = await untilOver(job.jobId, order, deps);
      if (end.kind === 'waits') {
        await deps.slurm.cancel(job.jobId);
        const reason = end.reason === '' ? 'Slurm gives no reason' : end.reason;
        return failed(job.jobId, `job ${job.jobId} did not start within ${order.waitSeconds} s: ${reason}`);
      }
      const { nodes, collective, unread } = await readFindings(folder, order, deps.job.fileIntervalMs);
      const problems = [...unread, ...problemsOf(order, nodes, collective)];
      if (end.kind === 'failed') {
        const last = await lastWords(folder);
        problems.unshift(`job ${job.jobId} ended as ${end.state}${last}; its log: ${folder}/${attemptFiles.log}`);
      }
      return { partition, jobId: job.jobId, nodes, collective, problems };
    },
  };
}

/** What the log says last of the reason: job.sh's own lines only say how it ended. */
async function lastWords(folder: string): Promise<string> {
  const lines = (await tailText(join(folder, attemptFiles.log), 4_000)).split('\n').map((line) => line.trim());
  const last = lines.findLast((line) => line !== '' && !line.startsWith('job.sh: '));
  return last === undefined ? '' : `: ${cut(last)}`;
}

async function submit(order: ExaminationOrder, folder: string, deps: JobDeps & ImportDeps) {
  const { job, store } = deps;
  const trainer = await importTrainer(job.trainerSource, store.root);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const request = join(folder, 'examination.json');
  const asked = {
    schema: 1,
    gpus_per_node: order.gpusPerNode,
    model: order.model ?? null,
    environments: environmentsOf(job),
  };
  await writeFileAtomic(request, `${JSON.stringify(asked, null, 2)}\n`);
  if (job.owner !== undefined) {
    for (const path of [folder, request]) await chown(path, job.owner.uid, job.owner.gid);
  }
  const environment = environmentOf(job, 'transformers');
  return submitOnce(deps, folder, renderExamination(order, { environment, directory: folder, trainer }));
}

/** Engines of the worker's environments. In `CRITIC_PYTHON` are those that the trainer's own requirements hold. */
function environmentsOf(job: JobDeps['job']): EnvironmentToImport[] {
  const apart = Object.keys(job.environments ?? {});
  const usual: EngineName[] = Object.values(enginesOfKind).map(([first]) => first);
  // Some do several kinds of work.
  const all = new Set<EngineName>(Object.values(enginesOfKind).flat());
  const names = [...all].filter((name) => usual.includes(name) || apart.includes(name));
  return byEnvironment(names, (name) => name, job).map(({ environment: { python, image }, items }) => ({
    engines: items,
    python,
    image: image ?? null,
  }));
}

type End = { kind: 'done' } | { kind: 'failed'; state: string } | { kind: 'waits'; reason: string };

async function untilOver(jobId: string, { waitSeconds }: ExaminationOrder, { slurm }: JobDeps): Promise<End> {
  const signal = Context.current().cancellationSignal;
  const submittedBy = Date.now() + waitSeconds * 1000;
  let seen: SlurmJob | undefined;
  let missingSince: number | undefined;
  for (;;) {
    const found = await slurm.getJob(jobId);
    if (found === undefined) {
      missingSince ??= Date.now();
      // Slurm forgets a job minutes after its end.
      if (Date.now() - missingSince > lateMs) return { kind: 'failed', state: seen?.state ?? 'UNKNOWN' };
    } else {
      missingSince = undefined;
      seen = found;
      if (isTerminal(found))
        return found.state === 'COMPLETED' ? { kind: 'done' } : { kind: 'failed', state: found.state };
      if (found.state === 'PENDING' && Date.now() > submittedBy) return { kind: 'waits', reason: found.reason };
    }
    Context.current().heartbeat({ state: found?.state ?? 'looking', jobId });
    await sleep(lookMs, undefined, { signal });
  }
}

interface Findings {
  nodes: NodeFindings[];
  collective: CollectiveFindings | null;
  unread: string[];
}

/** What the job left, once all of it is seen here, or for as long as a shared file system may show an old state. */
async function readFindings(folder: string, { nodes: wanted }: ExaminationOrder, pauseMs: number): Promise<Findings> {
  const until = Date.now() + lateMs;
  for (;;) {
    const names = [...(await namesIn(folder))].filter((name) => /^node-\d+\.json$/.test(name)).toSorted();
    const whole = names.length >= wanted && (await namesIn(folder)).has('collective.json');
    const failed = (await namesIn(folder)).has(attemptFiles.outcome) && names.length === 0;
    if (whole || failed || Date.now() > until) return readAll(folder, names);
    Context.current().heartbeat({ state: 'reading', files: names.length });
    await sleep(pauseMs);
  }
}

async function readAll(folder: string, names: readonly string[]): Promise<Findings> {
  const findings: Findings = { nodes: [], collective: null, unread: [] };
  for (const name of names) {
    const found = await findJson(folder, name, nodeSchema, 0);
    if (found.kind === 'read') findings.nodes.push(found.value);
    else if (found.kind === 'unreadable') findings.unread.push(found.why);
  }
  const collective = await findJson(folder, 'collective.json', collectiveSchema, 0);
  if (collective.kind === 'read') findings.collective = collective.value;
  else if (collective.kind === 'unreadable') findings.unread.push(collective.why);
  return findings;
}
