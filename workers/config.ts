/** Worker config: environment → checked values. `workers/main.ts` hands the environment in. */
import { execFileSync } from 'node:child_process';
import * as z from 'zod';
import { accountingPatienceMs } from '../activities/jobs/accounting.ts';
import { clusterExpected, isClusterName } from '../domain/clusters.ts';
import { describeIssue } from '../domain/errors.ts';

const argv = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: 'expected a JSON array of strings' });
      return z.NEVER;
    }
  })
  .pipe(z.array(z.string()).min(1));
const absolute = z.string('expected an absolute path').startsWith('/', 'expected an absolute path');
/** `host:port` alone would be a URL too, of a protocol called `host`. */
const httpUrl = z.url({ protocol: /^https?$/, error: 'expected a URL with http:// or https://' });
/** `/a:/b`, as PATH. */
const folders = z
  .string()
  .default('')
  .transform((text) => text.split(':').filter((folder) => folder !== ''))
  .pipe(z.array(absolute));

const schema = z.object({
  CRITIC_TEMPORAL_ADDRESS: z.string('expected host:port').min(1, 'expected host:port'),
  CRITIC_TEMPORAL_NAMESPACE: z.string().default('default'),
  /** Name of the cluster that this worker serves, as recipes have it in `cluster`. Without it: recipes that name none. */
  CRITIC_CLUSTER: z.string().refine(isClusterName, `expected ${clusterExpected}`).optional(),
  CRITIC_SLURM_URL: httpUrl,
  CRITIC_SLURM_USER: z.string('expected a user’s name').min(1, 'expected a user’s name'),
  CRITIC_SLURM_TOKEN_COMMAND: argv.optional(),
  CRITIC_SLURM_TOKEN_FILE: absolute.optional(),
  CRITIC_STORE: absolute,
  CRITIC_PYTHON: absolute,
  /** Output of `CRITIC_PYTHON -m critic_trainer.engines` on a node, where the worker cannot run that interpreter. */
  CRITIC_ENGINE_FILE: absolute.optional(),
  /** YAML with `environments`: where engines are that have an environment of their own (workers/environments.ts). */
  CRITIC_ENVIRONMENTS_FILE: absolute.optional(),
  /** YAML with `channels`: where people are told (input/channels-file.ts). Without it notices are only kept. */
  CRITIC_CHANNELS_FILE: absolute.optional(),
  /** YAML with `limits`: how many jobs of a kind may be in Slurm at a time (input/limits-file.ts). */
  CRITIC_LIMITS_FILE: absolute.optional(),
  CRITIC_TRAINER_SOURCE: absolute,
  CRITIC_JOB_SCRIPT: absolute,
  CRITIC_JOB_USER: z.string().optional(),
  CRITIC_LLM_BASE_URL: httpUrl.optional(),
  CRITIC_LLM_API_KEY_FILE: absolute,
  CRITIC_POLL_INTERVAL_MS: z.coerce.number().int().min(200).default(45_000),
  CRITIC_FILE_INTERVAL_MS: z.coerce.number().int().min(100).default(500),
  /** Pause between two looks for jobs whose run is over, ms. */
  CRITIC_REAPER_INTERVAL_MS: z.coerce.number().int().min(1000).default(300_000),
  /** How long a slurmdbd that does not answer is waited for, ms. Then the evidence at hand counts. */
  CRITIC_ACCOUNTING_PATIENCE_MS: z.coerce.number().int().min(1000).default(accountingPatienceMs),
  /** Folders of models that jobs see under the same paths, separated by colons. Models in them are used where they are. */
  CRITIC_MODEL_ROOTS: folders,
  /** Folders of models that only the worker sees, e.g. a Hugging Face cache. Links into them are followed. */
  CRITIC_MODEL_CACHES: folders,
  /** Temporal's UI, for links to runs. */
  CRITIC_TEMPORAL_UI: httpUrl.transform((url) => url.replace(/\/+$/, '')).optional(),
  /** Where `critic serve` serves the store's pages to people. */
  CRITIC_PAGES_URL: httpUrl.transform((url) => url.replace(/\/+$/, '')).optional(),
  CRITIC_READY_FILE: absolute.optional(),
});
export type WorkerConfig = z.output<typeof schema> & { jobOwner: { uid: number; gid: number } | undefined };

/** Throws one error that names every missing or wrong variable. */
export function workerConfig(env: NodeJS.ProcessEnv): WorkerConfig {
  const parsed = schema.safeParse(env);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => {
      const name = path.join('.');
      return `  ${name}: ${describeIssue({ message, input: env[name.split('.')[0] ?? ''] })}`;
    });
    throw new Error(
      `the worker's environment is not usable (docs/OPERATIONS.md, "Your own cluster", lists the variables):\n${faults.join('\n')}`,
    );
  }
  const config = parsed.data;
  if ((config.CRITIC_SLURM_TOKEN_COMMAND === undefined) === (config.CRITIC_SLURM_TOKEN_FILE === undefined)) {
    throw new Error('expected exactly one of CRITIC_SLURM_TOKEN_COMMAND and CRITIC_SLURM_TOKEN_FILE');
  }
  return { ...config, jobOwner: jobOwner(config.CRITIC_JOB_USER) };
}

/** A worker that is root hands attempt folders to the job user. Any other worker is that user itself. */
function jobOwner(user: string | undefined): { uid: number; gid: number } | undefined {
  if (user === undefined || process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
