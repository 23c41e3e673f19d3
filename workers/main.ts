/**
 * The worker: config → connections → activities → one Temporal worker for each task queue. After TERM running
 * activities get 20 s and then their cancellation. The next worker takes them up. Watchers have no side effect that could be lost.
 */
import { writeFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime } from '@temporalio/worker';
import { commandToken, fileToken, SlurmClient, tokenTimes } from 'slurm-rest-client';
import { Accounting } from '../activities/jobs/accounting.ts';
import { describeEngines } from '../activities/store/engine.ts';
import { claimStore } from '../activities/store/own-cluster.ts';
import { ArtifactStore } from '../activities/store/artifact-store.ts';
import { type ActivityDeps, createActivities } from '../activities/index.ts';
import { TeacherAccounts } from '../activities/teacher/accounts.ts';
import type { Outbox } from '../activities/notify/outbox.ts';
import { JobPoller } from '../activities/jobs/watching/job-poller.ts';
import { readLimits } from '../input/limits-file.ts';
import { readRegularText } from '../files/regular-file.ts';
import { readChannels } from '../input/channels-file.ts';
import { readEnvironments } from './environments.ts';
import { HealthLook } from './health-look.ts';
import { keepTelling, type Looker } from './notices.ts';
import { NightEnds } from './night-ends.ts';
import { NightWatch } from './night-watch.ts';
import { OldNotices } from './old-notices.ts';
import { ExperimentObserver } from './experiment-observer.ts';
import { RunObserver } from './run-observer.ts';
import { workerConfig, type WorkerConfig } from './config.ts';
import { ensureCaretaker, keepCaretaker, removeEarlierReaper } from './caretaker.ts';
import { createWorkers } from './queues.ts';
import { keptBundle } from './workflow-bundle.ts';

/** Slurm takes a script of at most 4 MiB (`max_script_size`). */
const maxScriptBytes = 4 * 1024 * 1024;

/** How long `night-watch` works: to take over from a worker that died takes 30 s. */
const watchMs = 90_000;

/** Pause between two looks whether the caretaker runs, ms. */
const roundMs = 60_000;

async function main(): Promise<void> {
  const config = workerConfig(process.env);
  const { CRITIC_CHANNELS_FILE: file } = config;
  const channels = file === undefined ? { channels: {}, default: [] } : await readChannels(file);
  // Files that the worker writes are for its own user and its group (the job user's) only.
  process.umask(0o027);
  Runtime.install({
    logger: new DefaultLogger('INFO'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) } },
  });
  // Side by side: until a new worker watches, nobody does.
  const [bundle, deps, connection] = await Promise.all([
    keptBundle(),
    buildDeps(config),
    NativeConnection.connect({ address: config.CRITIC_TEMPORAL_ADDRESS }),
  ]);
  const namespace = config.CRITIC_TEMPORAL_NAMESPACE;
  const client = new Client({ connection, namespace });
  const { CRITIC_CLUSTER: cluster, CRITIC_STORE: store } = config;
  await claimStore(store, cluster);
  const settings = { reaperIntervalMs: config.CRITIC_REAPER_INTERVAL_MS };
  await removeEarlierReaper(client);
  await ensureCaretaker(client, settings, cluster);
  void noticeAccounting(deps.accounting);
  void noticeEngines(deps);
  const workers = await createWorkers({ connection, namespace, cluster }, createActivities({ ...deps, channels }), {
    bundle,
  });
  const running = workers.map((worker) => worker.run());
  const rounds = setInterval(() => {
    void keepCaretaker(client, settings, cluster).catch((error: unknown) => {
      Runtime.instance().logger.warn(`the caretaker was not looked after: ${String(error)}`);
    });
  }, roundMs);
  const stop = new AbortController();
  const { logger: log } = Runtime.instance();
  const telling = keepTelling({ store, channels, log }, (outbox) => lookersOf(client, outbox, config), stop.signal);
  if (config.CRITIC_READY_FILE !== undefined) writeFileSync(config.CRITIC_READY_FILE, `${process.pid}\n`);
  try {
    await Promise.all(running);
  } finally {
    clearInterval(rounds);
    stop.abort();
    await telling;
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.allSettled(running);
    deps.poller.close();
    await deps.slurm.close();
    await connection.close();
  }
}

/** What looks for things that people must know. */
function lookersOf(client: Client, outbox: Outbox, config: WorkerConfig): Looker[] {
  const { CRITIC_CLUSTER: cluster, CRITIC_STORE: store } = config;
  return [
    new RunObserver(client, outbox, cluster),
    new ExperimentObserver(client, outbox, cluster),
    new HealthLook(client, store, outbox, { cluster }),
    new NightWatch(client, outbox, store, cluster),
    new NightEnds(client, outbox, cluster),
    new OldNotices(client, outbox),
  ];
}

/** Not awaited: an environment on a slow file system takes its time. */
async function noticeEngines({ job }: ActivityDeps): Promise<void> {
  for (const sentence of await describeEngines(job, job.trainerSource)) Runtime.instance().logger.info(sentence);
}

/** Not awaited: a worker must start even if Slurm is away. */
async function noticeAccounting(accounting: Accounting): Promise<void> {
  const notice = await accounting.notice().catch(String);
  if (notice !== undefined) Runtime.instance().logger.warn(notice);
}

async function buildDeps(config: WorkerConfig): Promise<ActivityDeps> {
  const { CRITIC_SLURM_TOKEN_COMMAND: command, CRITIC_SLURM_TOKEN_FILE: file } = config;
  const token = command === undefined ? fileToken(file ?? '') : commandToken(command);
  const auth = { userName: config.CRITIC_SLURM_USER, token };
  const slurm = new SlurmClient({ baseUrl: config.CRITIC_SLURM_URL, auth });
  return {
    tokenEnds: async () => {
      const { expiresAt } = tokenTimes(await token.token());
      return expiresAt === undefined ? undefined : new Date(expiresAt);
    },
    cluster: config.CRITIC_CLUSTER,
    store: new ArtifactStore(config.CRITIC_STORE),
    ...runsUrl(config),
    ...(config.CRITIC_PAGES_URL === undefined ? {} : { pagesUrl: config.CRITIC_PAGES_URL }),
    slurm,
    accounting: new Accounting(slurm, { patienceMs: config.CRITIC_ACCOUNTING_PATIENCE_MS }),
    poller: new JobPoller(slurm, { intervalMs: config.CRITIC_POLL_INTERVAL_MS, maxBackoffMs: 60_000 }),
    llm: new TeacherAccounts({ baseUrl: config.CRITIC_LLM_BASE_URL, apiKeyFile: config.CRITIC_LLM_API_KEY_FILE }),
    ...(config.CRITIC_LIMITS_FILE === undefined ? {} : { limits: await readLimits(config.CRITIC_LIMITS_FILE) }),
    models: { roots: config.CRITIC_MODEL_ROOTS, caches: config.CRITIC_MODEL_CACHES },
    job: {
      python: config.CRITIC_PYTHON,
      engineFile: config.CRITIC_ENGINE_FILE,
      environments: await readEnvironments(config),
      trainerSource: config.CRITIC_TRAINER_SOURCE,
      script: await readRegularText(config.CRITIC_JOB_SCRIPT, maxScriptBytes),
      owner: config.jobOwner,
      userName: config.CRITIC_SLURM_USER,
      fileIntervalMs: config.CRITIC_FILE_INTERVAL_MS,
    },
  };
}

function runsUrl({ CRITIC_TEMPORAL_UI: ui, CRITIC_TEMPORAL_NAMESPACE: namespace }: WorkerConfig) {
  return ui === undefined ? {} : { runsUrl: `${ui}/namespaces/${encodeURIComponent(namespace)}/workflows` };
}

/**
 * `npm run night-watch`: looks at runs and nights and brings notices to channels for a while, if no worker does. For a timer on another host, so that
 * people are told too when all workers or their hosts are dead.
 */
async function watchNights(): Promise<void> {
  const config = workerConfig(process.env);
  const { CRITIC_STORE: store, CRITIC_CHANNELS_FILE: file } = config;
  const channels = file === undefined ? { channels: {}, default: [] } : await readChannels(file);
  process.umask(0o027);
  // With another cluster's name it would tell that one's news here, and forget when the nights of this store are due.
  await claimStore(store, config.CRITIC_CLUSTER);
  const log = new DefaultLogger('INFO');
  // Not connected yet: that no server answers is what people may have to be told.
  const connection = Connection.lazy({ address: config.CRITIC_TEMPORAL_ADDRESS });
  const client = new Client({ connection, namespace: config.CRITIC_TEMPORAL_NAMESPACE });
  const signal = AbortSignal.timeout(watchMs);
  await keepTelling({ store, channels, log }, (outbox) => lookersOf(client, outbox, config), signal);
  await connection.close();
}

const work = process.argv[2] === 'night-watch' ? watchNights : main;
work().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
