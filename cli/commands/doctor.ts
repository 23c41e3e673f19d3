/**
 * `critic doctor`: checks Temporal, its workers, store, Slurm and the teacher's key, then has a job of a minute look at the nodes of a partition: GPUs,
 * environments, store, model, all-reduce.
 */
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import type { Client } from '@temporalio/client';
import * as z from 'zod';
import { type Examined, examinationMinutes, type ExaminationOrder } from '../../domain/examination.ts';
import { queueOf } from '../../domain/clusters.ts';
import type { HealthCheck } from '../../domain/health-check.ts';
import { oneSlurmName } from '../../domain/recipe/fields.ts';
import { shown } from '../../domain/errors.ts';
import type { examineCluster } from '../../workflows/upkeep/examine-cluster.ts';
import { InvalidArgumentError } from 'commander';
import { aPath, wholeNumber, wholeNumberFrom } from '../arguments.ts';
import { CliError, exitCodes } from '../cli-error.ts';
import { chosenCluster } from '../cluster.ts';
import { doctorLines } from '../views/doctor-view.ts';
import { settingsHere } from '../config.ts';
import { NoServer } from '../connection.ts';
import { healthCheck, healthChecks, healthLines } from '../doctor/health-checks.ts';
import { ownChecks } from '../doctor/own-checks.ts';
import { resultOf } from '../run-handle.ts';
import { type Register, type Shell, textOf, type View, type ViewOptions, withClient } from '../shell.ts';
import { whileWorkersAsk } from '../workers.ts';

const number = z.number();
const error = z.string().nullable();
const node = z.object({
  host: z.string(),
  cpus: number,
  memory_mib: number,
  shm_mib: number,
  gpus: z.object({
    found: z.array(z.object({ name: z.string(), memory_mib: number })),
    driver: z.string().nullable(),
    error,
  }),
  environments: z.array(z.object({ engines: z.array(z.string()), python: z.string(), seconds: number, error })),
  store: z.object({ write_mib_s: number, read_mib_s: number, free_mib: number, error }),
  model: z.object({ path: z.string(), files: number, mib: number, error }).nullable(),
});
const examined = z.array(
  z.object({
    partition: z.string().nullable(),
    jobId: z.string().nullable(),
    nodes: z.array(node),
    collective: z.object({ backend: z.string(), ranks: number, gib_s: number.nullable(), error }).nullable(),
    problems: z.array(z.string()),
  }),
);

/** `partitions` is empty with `--no-job`. */
const findings = z.object({ checks: z.array(healthCheck), partitions: examined });
export type Findings = z.output<typeof findings>;
export const doctorView: View<Findings> = {
  schema: findings,
  lines: ({ checks, partitions }) => [...healthLines(checks), ...doctorLines(partitions)],
};

/** Looks at each partition with a job of its own, all at once. */
export async function doctor(client: Client, orders: ExaminationOrder[]): Promise<Examined[]> {
  const handle = await client.workflow.start<typeof examineCluster>('examineCluster', {
    workflowId: `doctor-${orders[0]?.id ?? 'none'}`,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    taskQueue: queueOf('workflows', chosenCluster(client)),
    args: [orders],
    staticSummary: 'look at the nodes of the cluster',
  });
  try {
    return await whileWorkersAsk(client, chosenCluster(client), resultOf(handle, examined));
  } catch (lost) {
    // A worker that comes back submits no job for nobody. To cancel what is over does nothing.
    await handle.cancel().catch(() => undefined);
    throw lost;
  }
}

/** All findings; `tell` gets each line for people as soon as it is known. No job is submitted where no worker answers. */
export async function findingsOf(
  client: Client,
  orders: ExaminationOrder[],
  tell: (lines: readonly string[]) => void,
): Promise<Findings> {
  const { checks, answers } = await healthChecks(client, (some) => tell(healthLines(some)));
  if (orders.length === 0) return { checks, partitions: [] };
  if (!answers) {
    tell(['No job looks at nodes, since no worker answers.']);
    return { checks, partitions: [] };
  }
  tell([`A job looks at the nodes now: about a minute after its turn has come.`]);
  const partitions = await doctor(client, orders);
  tell(doctorLines(partitions));
  return { checks, partitions };
}

/** While Temporal does not answer: what this machine itself can look at. */
async function withoutServer(
  shell: Shell,
  { message }: NoServer,
  tell: (lines: readonly string[]) => void,
): Promise<Findings> {
  const own = await ownChecks(await settingsHere(shell.env, shell.localRecord));
  const checks: HealthCheck[] = [{ what: 'Temporal', state: 'problem', sentence: message }, ...own];
  tell(healthLines(checks));
  return { checks, partitions: [] };
}

interface DoctorOptions extends ViewOptions {
  partition?: string[];
  nodes: number;
  gpus: number;
  gpuType?: string;
  cpus?: number;
  model?: string;
  account?: string;
  qos?: string;
  wait: number;
  /** False with `--no-job`. */
  job: boolean;
}

function aSlurmName(text: string): string {
  if (!oneSlurmName.safeParse(text).success) {
    throw new InvalidArgumentError(`expected letters, digits, "_", ".", "@", "+" and "-", got ${shown(text)}`);
  }
  return text;
}

const severalNames = (text: string): string[] => [...new Set(text.split(',').map(aSlurmName))];

/** On each node: each GPU has a process of the all-reduce, and srun starts none without a CPU. */
function cpusOf({ cpus, gpus }: DoctorOptions): number {
  const least = Math.max(1, gpus);
  if (cpus !== undefined && cpus < least) {
    throw new CliError(`--cpus: expected at least ${least}, one for each GPU, got ${cpus}`);
  }
  return cpus ?? least;
}

function ordersOf(options: DoctorOptions, now: Date): ExaminationOrder[] {
  const [date, time = ''] = now.toISOString().split('T');
  // Two may begin at once.
  const id = `${date?.replaceAll('-', '')}-${time.replaceAll(/\D/g, '')}${randomInt(1000, 10_000)}`;
  return (options.partition ?? [undefined]).map((partition) => ({
    id,
    partition,
    account: options.account,
    qos: options.qos,
    nodes: options.nodes,
    gpusPerNode: options.gpus,
    gpuType: options.gpuType,
    cpus: cpusOf(options),
    model: options.model === undefined ? undefined : resolve(options.model),
    waitSeconds: options.wait,
  }));
}

export const registerDoctor: Register = (program, shell) => {
  program
    .command('doctor')
    .option('--partition <names>', 'partitions with commas between; else the cluster’s default one', severalNames)
    .option('--nodes <n>', 'nodes of each job', wholeNumberFrom(1), 1)
    .option('--gpus <n>', 'GPUs on each node', wholeNumber, 0)
    .option('--gpu-type <type>', 'type of the GPUs, as Slurm calls it', aSlurmName)
    .option('--cpus <n>', 'CPUs on each node, at least one for each GPU (default: that)', wholeNumberFrom(1))
    .option('--model <folder>', 'a model that jobs must be able to read', aPath)
    .option('--account <name>', 'account that pays', aSlurmName)
    .option('--qos <name>', 'quality of service', aSlurmName)
    .option('--wait <seconds>', 'how long a job may wait for its turn', wholeNumberFrom(1), 600)
    .option('--no-job', 'check Temporal, worker, store, Slurm and teacher alone, and submit no job')
    .option('--json', 'print the findings as JSON')
    .description(
      `check Temporal, worker, store, Slurm, teacher’s key; then nodes, by a job of about a minute (at most ${examinationMinutes})`,
    )
    .addHelpText(
      'after',
      '\nExample: critic doctor --partition a100 --nodes 2 --gpus 8 --cpus 16 --model /models/Qwen2.5-VL-7B-Instruct',
    )
    .action(async (options: DoctorOptions) => {
      const orders = options.job ? ordersOf(options, new Date()) : [];
      const say = (lines: readonly string[]) => void shell.stdout.write(lines.map((line) => `${line}\n`).join(''));
      const tell = options.json === true ? () => undefined : say;
      const value = await withClient(shell, (client) => findingsOf(client, orders, tell)).catch((failure: unknown) => {
        if (!(failure instanceof NoServer)) throw failure;
        return withoutServer(shell, failure, tell);
      });
      if (options.json === true) say([textOf(doctorView, value, options)]);
      const isIll =
        value.checks.some(({ state }) => state === 'problem') ||
        value.partitions.some(({ problems }) => problems.length > 0);
      if (isIll) shell.exitWith(exitCodes.failed);
    });
};
