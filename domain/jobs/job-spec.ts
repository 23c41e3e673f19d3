/**
 * Job spec: a prepared attempt → what Slurm is asked for. Pure rendering. slurm-rest-client knows the wire shape of
 * each API version. Nothing is interpolated into shell: parameters are in the attempt's manifest. The environment holds paths and
 * no secret.
 */
import type { Params } from '../engines/engine.ts';
import { type EngineName, engines, type EngineVersions } from '../engines/registry.ts';
import { deaf } from '../estimate/kill-cost.ts';
import { attemptFiles, attemptName, type JobStage } from '../names.ts';
import type { Resources, WatchSettings } from '../recipe.ts';
import type { Turn } from '../keeping/turns.ts';

/** What computes a job's output: the engine's name, Python's minor version and the packages that matter to it, by name. */
export interface Engine {
  name: EngineName;
  /** In the artifact's key; the trainer refuses to begin with others. Empty: not checked. */
  versions: EngineVersions;
}

/** One job of a run, as the workflow orders it. Paths are absolute. */
export interface JobOrder {
  run: string;
  stage: JobStage;
  /** Key of the artifact that this job makes. */
  key: string;
  ingredients: Record<string, unknown>;
  model: string;
  /** Key of the base model, if `model` is that. Others may be able to change it where it is, so each attempt looks again. */
  baseModel?: string;
  inputs: Record<string, string>;
  params: Params;
  seed: number;
  threads: number;
  planned: { steps: number | null; rows: number | null };
  engine: Engine;
  resources: Resources;
  watch: WatchSettings;
  /** Folder of the trainer's code, a content-addressed copy below the store. */
  trainer: string;
  /** What each attempt waits for before it is submitted. Absent: nothing. */
  turns?: Turn[];
}

/** What differs from the recipe in one attempt. The failure policy or the operator decides it. */
export interface AttemptChanges {
  resumeFrom: string | null;
  excludeNodes: string[];
  memoryFactor: number;
  timeLimitMinutes: number | null;
  /** Times the micro-batch was halved and accumulation doubled: the global batch stays what the recipe says. */
  microBatchHalvings: number;
  /** Nodes that the recipe excludes and the operator allows again. */
  allowNodes?: string[];
  /** In place of the recipe's. */
  partition?: string;
  qos?: string;
}

export const firstAttempt: AttemptChanges = {
  resumeFrom: null,
  excludeNodes: [],
  memoryFactor: 1,
  timeLimitMinutes: null,
  microBatchHalvings: 0,
};

/** Parameters of an attempt after halvings of the micro-batch, by the engine's own arithmetic; the global batch stays. */
export function attemptParams(
  { engine, params }: Pick<JobOrder, 'engine' | 'params'>,
  changes: AttemptChanges,
): Params {
  return engines[engine.name].halved(params, changes.microBatchHalvings);
}

export interface JobRequest {
  name: string;
  environment: Record<string, string>;
  currentWorkingDirectory: string;
  standardOutput: string;
  partition: string | undefined;
  account: string | undefined;
  qos: string | undefined;
  nodes: number;
  cpusPerTask: number;
  memoryPerNodeMiB: number | undefined;
  gpus: { type: string | undefined; countPerNode: number } | undefined;
  timeLimitMinutes: number;
  excludedNodes: string[];
  comment: string;
}

/** Where an engine is installed: an interpreter, perhaps in an Apptainer image. Paths are absolute, as the nodes see them. */
export interface Environment {
  python: string;
  /** The image, and folders of the host that are bound into it. */
  image?: { path: string; binds: readonly string[] } | undefined;
}

/** What the job's environment needs to know. */
export interface JobSurroundings {
  environment: Environment;
  /** The attempt's folder. */
  directory: string;
}

/** The request of one attempt. Same input, same request: `tests/golden/job-requests.json` holds it to that. */
export function renderJobRequest(
  order: JobOrder,
  attempt: number,
  changes: AttemptChanges,
  around: JobSurroundings,
): JobRequest {
  const { resources } = order;
  const memory = resources.memory_mib;
  const timeLimitMinutes = changes.timeLimitMinutes ?? resources.time_limit_minutes;
  return {
    name: attemptName(order.run, order.stage, attempt),
    environment: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: around.directory,
      LANG: 'C.UTF-8',
      SLURM_UMASK: '0077',
      CRITIC_ATTEMPT_DIR: around.directory,
      CRITIC_PYTHON: around.environment.python,
      ...imageOf(around.environment),
      CRITIC_TRAINER: order.trainer,
      CRITIC_CHECKPOINT_AFTER: String(checkpointAfterSeconds(timeLimitMinutes, marginOf(order))),
      ...ranksPerNode(order),
    },
    currentWorkingDirectory: around.directory,
    standardOutput: `${around.directory}/${attemptFiles.log}`,
    partition: changes.partition ?? resources.partition,
    account: resources.account,
    qos: changes.qos ?? resources.qos,
    nodes: resources.nodes,
    cpusPerTask: resources.cpus,
    memoryPerNodeMiB: memory === undefined ? undefined : Math.ceil(memory * changes.memoryFactor),
    gpus:
      resources.gpus_per_node === 0 ? undefined : { type: resources.gpu_type, countPerNode: resources.gpus_per_node },
    timeLimitMinutes,
    excludedNodes: excludedNodes(resources, changes),
    comment: `critic run ${order.run} stage ${order.stage} attempt ${attempt}`,
  };
}

function excludedNodes(resources: Resources, { excludeNodes, allowNodes = [] }: AttemptChanges): string[] {
  const byRecipe = resources.exclude_nodes.filter((node) => !allowNodes.includes(node));
  return [...new Set([...byRecipe, ...excludeNodes])];
}

/** Has job.sh start that many ranks on each node. Absent: one process alone, without srun. */
function ranksPerNode({ engine, params, resources }: JobOrder): Record<string, string> {
  const ranks = engines[engine.name].ranksPerNode(params, resources);
  return ranks === undefined ? {} : { CRITIC_RANKS_PER_NODE: String(ranks) };
}

/** Has job.sh start the interpreter inside an Apptainer image. */
export function imageOf({ image }: Environment): Record<string, string> {
  return image === undefined ? {} : { CRITIC_IMAGE: image.path, CRITIC_IMAGE_BINDS: image.binds.join(',') };
}

/** Seconds before the time limit at which a job is asked to stop. An engine that does not save when it is asked only needs time to end. */
function marginOf({ engine, watch }: JobOrder): number {
  return deaf.includes(engine.name) ? Math.min(60, watch.checkpoint_seconds) : watch.checkpoint_seconds;
}

/** Seconds from a job's start to the request for a checkpoint: `margin` before the limit, never before its half. */
function checkpointAfterSeconds(limitMinutes: number, margin: number): number {
  return Math.max(limitMinutes * 60 - margin, limitMinutes * 30);
}

/**
 * Ingredients of a job's artifact: everything that determines its output. Resources and threads do not, nor do the engine's
 * incidental parameters, nor where the store lies: of the trainer's folder only the last segment counts, which is the hash of its code.
 */
export function jobIngredients(
  order: Pick<JobOrder, 'params' | 'seed' | 'trainer' | 'engine'>,
  model: string,
  inputs: Record<string, string>,
): Record<string, unknown> {
  const { seed, trainer, engine } = order;
  const params = keyedParams(engine.name, order.params);
  return { params, seed, model, inputs, trainer: trainer.split('/').at(-1), engine };
}

/** Those of a job's parameters that its artifact's key holds. */
export function keyedParams(engine: EngineName, params: Params): Params {
  const { incidental } = engines[engine];
  return Object.fromEntries(Object.entries(params).filter(([name]) => !incidental.includes(name)));
}
