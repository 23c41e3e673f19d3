/**
 * The real servers of the live tests: one row each, so that a further release is one more row. A missing one fails, it never
 * skips: a test that did not run looks like one that passed.
 *
 * One server: SLURM_TEST_URL, SLURM_TEST_USER, SLURM_TEST_TOKEN_COMMAND (JSON argv). Several: SLURM_TEST_SERVERS, a JSON list of
 * {"name", "url", "user", "tokenCommand", "apiVersion"?, "partition"?, "folder"?}.
 */
import * as z from 'zod';
import {
  apiVersions,
  commandToken,
  SlurmClient,
  type JobSubmission,
  type SlurmClientOptions,
  type SlurmJob,
} from '../../src/index.ts';

const argv = z.array(z.string()).min(1);
const server = z.object({
  name: z.string(),
  url: z.url(),
  user: z.string(),
  tokenCommand: argv,
  /** Default: the newest that both speak. */
  apiVersion: z.enum(apiVersions).optional(),
  /** Default: the cluster's own default. */
  partition: z.string().optional(),
  /** A folder that the job's user may write and this process may read, the same path on both sides. */
  folder: z.string().default('/tmp'),
});
export type TestServer = z.output<typeof server>;

/** The configured servers; if there are none, one that says so in every test. */
export function servers(env: NodeJS.ProcessEnv = process.env): TestServer[] {
  if (env['SLURM_TEST_SERVERS'] !== undefined)
    return z.array(server).min(1).parse(JSON.parse(env['SLURM_TEST_SERVERS']));
  const { SLURM_TEST_URL: url, SLURM_TEST_USER: user, SLURM_TEST_TOKEN_COMMAND: command } = env;
  if (url === undefined || user === undefined || command === undefined) return [missing];
  return [server.parse({ name: url, url, user, tokenCommand: JSON.parse(command) as unknown })];
}

const missing: TestServer = { name: 'no server', url: '', user: '', tokenCommand: [], folder: '/tmp' };

export function connectTo(row: TestServer, options: Partial<SlurmClientOptions> = {}): SlurmClient {
  if (row === missing) {
    throw new Error(
      'the live tests of slurm-rest-client need a real slurmrestd: set SLURM_TEST_URL, SLURM_TEST_USER and SLURM_TEST_TOKEN_COMMAND (JSON argv that prints SLURM_JWT=...)',
    );
  }
  return new SlurmClient({
    baseUrl: row.url,
    auth: { userName: row.user, token: commandToken(row.tokenCommand) },
    apiVersion: row.apiVersion,
    ...options,
  });
}

let counter = 0;

/** A small job under a name that nobody had before. */
export function testJob(row: TestServer, body: string, more: Partial<JobSubmission> = {}): JobSubmission {
  counter += 1;
  const name = `srk-${process.pid}-${Date.now().toString(36)}-${counter}`;
  return {
    name,
    partition: row.partition,
    script: `#!/bin/bash\n${body}\n`,
    environment: { PATH: '/usr/bin:/bin' },
    currentWorkingDirectory: row.folder,
    standardOutput: `${row.folder}/${name}.log`,
    openMode: 'append',
    nodes: 1,
    tasks: 1,
    cpusPerTask: 1,
    memoryPerNodeMiB: 100,
    timeLimitMinutes: 5,
    excludedNodes: [],
    requeue: false,
    comment: `live test ${name}`,
    ...more,
  };
}

/** Looks until `seen` likes what it sees, or fails with the last thing seen. */
export async function until<T>(look: () => Promise<T>, seen: (value: T) => boolean, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await look();
    if (seen(value)) return value;
    if (Date.now() > end) throw new Error(`not seen within ${seconds} s; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    });
  }
}

export function known(job: SlurmJob | undefined): SlurmJob {
  if (job === undefined) throw new Error('slurmctld does not know the job');
  return job;
}
