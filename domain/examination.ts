/** Examination: what `critic doctor` asks of a partition, what its job found on each node, and what of it is a problem. Pure. */
import type { EngineName } from './engines/registry.ts';
import { imageOf, type JobRequest, type JobSurroundings } from './jobs/job-spec.ts';
import { attemptFiles, isSafeName } from './names.ts';

/** One job on one partition. Undefined: Slurm's default. */
export interface ExaminationOrder {
  /** Names the jobs and their folders; digits and `-`, no other's. */
  id: string;
  partition: string | undefined;
  account: string | undefined;
  qos: string | undefined;
  nodes: number;
  gpusPerNode: number;
  gpuType: string | undefined;
  cpus: number;
  /** Folder of a model that jobs must be able to read. */
  model: string | undefined;
  /** How long the job may wait for its turn, s. */
  waitSeconds: number;
}

/** Minutes after which Slurm ends the job. Most take one; a broken NCCL takes two before it gives up. */
export const examinationMinutes = 10;

/** What one node has. A part with an `error` was not found out. MiB, MiB/s, seconds. */
export interface NodeFindings {
  host: string;
  cpus: number;
  memory_mib: number;
  shm_mib: number;
  gpus: { found: { name: string; memory_mib: number }[]; driver: string | null; error: string | null };
  environments: { engines: string[]; python: string; seconds: number; error: string | null }[];
  store: { write_mib_s: number; read_mib_s: number; free_mib: number; error: string | null };
  model: { path: string; files: number; mib: number; error: string | null } | null;
}

/** All-reduce over all processes; GiB/s of the tensor. */
export interface CollectiveFindings {
  backend: string;
  ranks: number;
  gib_s: number | null;
  error: string | null;
}

export interface Examined {
  /** As asked for; null for the default one. */
  partition: string | null;
  /** null: Slurm took no job. */
  jobId: string | null;
  nodes: NodeFindings[];
  collective: CollectiveFindings | null;
  /** Sentences for a person. None: the partition can do what was asked. */
  problems: string[];
}

/** Name of the job. It never reads as an attempt's name, which ends in `-a<number>`. */
export function examinationName({ partition, id }: Pick<ExaminationOrder, 'partition' | 'id'>): string {
  const name = `critic-doctor-${partition ?? 'default'}-${id}`;
  if (!isSafeName(name, 128)) throw new Error(`"${name}" is no name of a job`);
  return name;
}

/** Folder of the job, below the store's root. */
export function examinationFolder(store: string, order: Pick<ExaminationOrder, 'partition' | 'id'>): string {
  return `${store}/doctor/${examinationName(order)}`;
}

/** The request of the job. `trainer` is the folder of its code. */
export function renderExamination(
  order: ExaminationOrder,
  { environment, directory, trainer }: JobSurroundings & { trainer: string },
): JobRequest {
  return {
    name: examinationName(order),
    environment: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: directory,
      LANG: 'C.UTF-8',
      SLURM_UMASK: '0077',
      CRITIC_ATTEMPT_DIR: directory,
      CRITIC_PYTHON: environment.python,
      ...imageOf(environment),
      CRITIC_TRAINER: trainer,
      CRITIC_RANKS_PER_NODE: String(Math.max(1, order.gpusPerNode)),
    },
    currentWorkingDirectory: directory,
    standardOutput: `${directory}/${attemptFiles.log}`,
    partition: order.partition,
    account: order.account,
    qos: order.qos,
    nodes: order.nodes,
    cpusPerTask: order.cpus,
    memoryPerNodeMiB: undefined,
    gpus: order.gpusPerNode === 0 ? undefined : { type: order.gpuType, countPerNode: order.gpusPerNode },
    timeLimitMinutes: examinationMinutes,
    excludedNodes: [],
    comment: 'critic doctor',
  };
}

/** What is wrong with what the job found. */
export function problemsOf(
  order: Pick<ExaminationOrder, 'nodes' | 'gpusPerNode'>,
  nodes: readonly NodeFindings[],
  collective: CollectiveFindings | null,
): string[] {
  const hosts = new Map<string, string[]>();
  for (const node of nodes) {
    for (const problem of nodeProblems(order.gpusPerNode, node)) {
      hosts.set(problem, [...(hosts.get(problem) ?? []), node.host]);
    }
  }
  const problems = [...hosts].map(([problem, where]) => `${someOf(where)}: ${problem}`);
  if (nodes.length < order.nodes) problems.push(`${nodes.length} of ${order.nodes} nodes answered`);
  if (collective === null) problems.push('the processes did not come together for an all-reduce');
  else if (collective.error !== null) problems.push(`all-reduce by ${collective.backend}: ${collective.error}`);
  return problems;
}

/** At most three names. */
function someOf(hosts: readonly string[]): string {
  const more = hosts.length - 3;
  return more > 0 ? `${hosts.slice(0, 3).join(', ')} and ${more} more` : hosts.join(', ');
}

function nodeProblems(gpus: number, { gpus: seen, environments, store, model }: NodeFindings): string[] {
  const problems: string[] = [];
  if (gpus > 0 && seen.error !== null) problems.push(`GPUs: ${seen.error}`);
  else if (seen.found.length < gpus) problems.push(`${seen.found.length} of ${gpus} GPUs are there`);
  for (const { engines, python, error } of environments) {
    if (error !== null) problems.push(`${python} cannot import ${engines.join(', ')}: ${error}`);
  }
  if (store.error !== null) problems.push(`store: ${store.error}`);
  if (model !== null && model.error !== null) problems.push(`model ${model.path}: ${model.error}`);
  return problems;
}

/** Engines that share an environment are imported together. */
export interface EnvironmentToImport {
  engines: EngineName[];
  python: string;
  image: { path: string; binds: readonly string[] } | null;
}
