/**
 * Two clusters on one Temporal: the live stack, which has no name, and a second one called "b", with a Slurm, a store and a worker of its own. Both train at the
 * same time; then b's worker is killed, its run terminated, and resumed; then b has a night.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { down, up } from '../../infra/local/stack.ts';
import { checkout, folders, type StackConfig, stackConfig } from '../../infra/local/stack-config.ts';
import { drawnDataset, reaches, until } from './ranks-world.ts';
import { critic, sees, state, store } from './stack.ts';

const execute = promisify(execFile);
const temporal = process.env['CRITIC_TEMPORAL_ADDRESS'] ?? '';
const own = stackConfig();
const b: StackConfig = {
  ...own,
  state: `${state}-b`,
  portBase: own.portBase + 100,
  cluster: 'b',
  sharedTemporal: temporal,
};
const storeOfB = folders(b).store;

let folder: string;
let argv: string[];
beforeAll(async () => {
  await up(b, () => undefined);
  folder = await mkdtemp(join(tmpdir(), 'critic-clusters-'));
  // One process that trains for longer than the test looks, and can be resumed soon.
  const smoke = await readFile(join(checkout, 'recipes/smoke.yaml'), 'utf8');
  const changed = smoke
    .replace('epochs: 3', 'epochs: 100')
    .replace('save_steps: 100', 'save_steps: 4')
    .replace('../models/tiny-critic', join(checkout, 'models/tiny-critic'));
  const recipe = join(folder, 'clusters.yaml');
  await writeFile(recipe, changed);
  const dataset = await drawnDataset();
  // What an earlier test run on these stores has made must not be reused.
  argv = ['run', recipe, '--dataset', dataset, '--seed', String(Date.now() % 1_000_000_000)];
});
afterAll(async () => {
  await down(b, () => undefined);
  await rm(folder, { recursive: true, force: true });
});

/** Names of jobs that a cluster's Slurm has now. */
async function queue(of: StackConfig): Promise<string[]> {
  const env = { ...process.env, SLURM_CONF: join(folders(of).slurm, 'slurm.conf') };
  const { stdout } = await execute('squeue', ['-h', '-a', '-o', '%j'], { env });
  return stdout.split('\n').filter((line) => line !== '');
}

async function started(...options: string[]) {
  const { seen, done } = critic(...options);
  const [, run = 'none'] = await sees(seen, /^run (smoke-\S+)/m, 120);
  return { run, seen, done };
}

async function terminate(run: string): Promise<void> {
  const connection = await Connection.connect({ address: temporal });
  try {
    await new Client({ connection }).workflow.getHandle(run).terminate('a test');
  } finally {
    await connection.close();
  }
}

async function killWorkerOfB(): Promise<void> {
  const record: unknown = JSON.parse(readFileSync(join(folders(b).pids, 'worker.json'), 'utf8'));
  process.kill(z.object({ pid: z.number() }).parse(record).pid, 'SIGKILL');
}

const listed = async (...options: string[]) => {
  const { output } = await critic('runs', '--json', ...options).done;
  return z.array(z.object({ run: z.string(), cluster: z.string().nullable() })).parse(JSON.parse(output));
};
const sft = (root: string, run: string) => join(root, 'runs', run, 'jobs/sft/a1');

it('each cluster does its own runs; a worker’s death, an orphan and a resume are its own too', async () => {
  const [here, there] = await Promise.all([started(...argv), started(...argv, '--cluster', 'b')]);
  const both = [sft(store, here.run), sft(storeOfB, there.run)];
  for (const attempt of both)
    await until(`${attempt} has begun`, async () => existsSync(join(attempt, 'metrics.jsonl')));
  await Promise.all(both.map((attempt) => reaches(attempt, 5)));
  expect(await queue(own)).toContain(`critic-${here.run}-sft-a1`);
  expect(await queue(b)).toContain(`critic-${there.run}-sft-a1`);
  expect((await queue(own)).filter((name) => name.includes(there.run))).toEqual([]);
  expect((await queue(b)).filter((name) => name.includes(here.run))).toEqual([]);
  expect(existsSync(join(store, 'runs', there.run))).toBe(false);
  const ofB = await listed('--cluster', 'b');
  expect(ofB).toContainEqual({ run: there.run, cluster: 'b' });
  expect(ofB.filter(({ cluster }) => cluster !== 'b')).toEqual([]);
  expect(await listed()).toEqual(
    expect.arrayContaining([
      { run: here.run, cluster: null },
      { run: there.run, cluster: 'b' },
    ]),
  );

  // Nobody of b sees that its run is terminated. The other cluster's worker lives, and is not concerned.
  await killWorkerOfB();
  await terminate(there.run);
  await up(b, () => undefined);
  await until('the orphan is gone', async () => (await queue(b)).length === 0);
  expect(await queue(own)).toContain(`critic-${here.run}-sft-a1`);

  const resumed = await started('resume', there.run);
  const next = sft(storeOfB, resumed.run);
  await until('the new run’s job has begun', async () => existsSync(join(next, 'attempt.json')));
  expect(await queue(own)).not.toContain(`critic-${resumed.run}-sft-a1`);
  const manifest = z.object({ resume_from: z.string() });
  const { resume_from: from } = manifest.parse(JSON.parse(await readFile(join(next, 'attempt.json'), 'utf8')));
  expect(from).toContain(sft(storeOfB, there.run));
  for (const { run } of [here, resumed]) expect((await critic('cancel', run).done).code).toBe(0);
  await Promise.all([here.done, there.done, resumed.done]);
});

it('a run for a cluster that nobody serves is refused, and so is a store that is another one’s', async () => {
  const text = await readFile(argv[1] ?? '', 'utf8');
  const recipe = join(folder, 'nowhere.yaml');
  await writeFile(recipe, `${text}\ncluster: nowhere\n`);
  const { code, output } = await critic('run', recipe, ...argv.slice(2)).done;
  expect({ code, output }).toMatchObject({
    code: 1,
    output: expect.stringContaining('got "nowhere", for which none has'),
  });
  expect(output).toContain('known: cluster "b", the cluster without a name');

  const before = readFileSync(join(folders(b).pids, 'worker.json'), 'utf8');
  await expect(up({ ...b, cluster: 'c' }, () => undefined)).rejects.toThrow('which is that of cluster "b"');
  expect(readFileSync(join(folders(b).pids, 'worker.json'), 'utf8')).toBe(before);
});

it('a night of a cluster trains on that cluster alone, and its digest names it', async () => {
  const dataset = argv[argv.indexOf('--dataset') + 1] ?? '';
  const smoke = await readFile(join(checkout, 'recipes/smoke.yaml'), 'utf8');
  const seed = Date.now() % 1_000_000_000;
  const recipe = smoke
    .replace(/^seed: .*$/m, `seed: ${seed}`)
    .replace(/^dataset: .*$/m, `dataset: ${dataset}`)
    .replace('../models/tiny-critic', join(checkout, 'models/tiny-critic'));
  await writeFile(join(folder, 'night-recipe.yaml'), recipe);
  // An earlier test run may have left the run of a night, for which this one would be skipped.
  const night = `of-b-${seed}`;
  const file = join(folder, 'night.yaml');
  await writeFile(file, `name: ${night}\ncluster: b\nrecipe: night-recipe.yaml\ncron: "30 1 1 1 *"\n`);
  const runs = () => readdirSync(join(storeOfB, 'runs'));
  const before = runs();
  expect(await critic('schedule', 'apply', file).done).toMatchObject({ code: 0 });
  try {
    expect(await critic('schedule', 'trigger', night).done).toMatchObject({ code: 0 });
    let run = '';
    await until('the night has a run', async () => {
      run = runs().find((one) => !before.includes(one)) ?? '';
      return run !== '';
    });
    const seen = new Set<string>();
    let digest = '';
    await until(
      'its digest is there',
      async () => {
        for (const job of await queue(b)) if (job.includes(run)) seen.add(job);
        expect((await queue(own)).filter((job) => job.includes(run))).toEqual([]);
        digest = readdirSync(join(storeOfB, 'notices')).find((name) => name.endsWith(`-ended-${run}.json`)) ?? '';
        return digest !== '';
      },
      600,
    );
    expect([...seen]).toContain(`critic-${run}-sft-a1`);
    expect([...seen]).toContain(`critic-${run}-grpo-a1`);
    expect(existsSync(join(storeOfB, 'runs', run, 'report.html'))).toBe(true);
    expect(existsSync(join(store, 'runs', run))).toBe(false);
    expect(existsSync(join(store, 'nights', night))).toBe(false);
    const { output } = await critic('notices', 'show', digest.replace('.json', ''), '--json', '--cluster', 'b').done;
    const shown = z.object({ notice: z.object({ title: z.string(), run: z.string() }) }).parse(JSON.parse(output));
    expect(shown.notice).toMatchObject({
      run,
      title: expect.stringMatching(/^cluster b: night of-b-\d+ of .* (?:passed|did not pass) the gate$/),
    });
    // The other cluster's worker tells nothing of it.
    expect((await critic('notices', 'ls', '--json').done).output).not.toContain(night);
  } finally {
    await critic('schedule', 'delete', night).done;
  }
});

it('doctor looks at the nodes of the cluster that is named', async () => {
  const { code, output } = await critic('doctor', '--cluster', 'b', '--partition', 'a100').done;
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining(storeOfB) });
  expect(output).toContain('of cluster "b"');
});

it('a cluster that is stopped leaves no job behind', async () => {
  const pidFile = join(folder, 'pid');
  await chmod(folder, 0o777);
  const env = { ...process.env, SLURM_CONF: join(folders(b).slurm, 'slurm.conf') };
  const submission = ['sbatch', '-p', 'a100', '-o', '/dev/null', '--wrap', `echo $$ >${pidFile}; sleep 600; true`];
  await execute('runuser', ['-u', 'critic', '--', ...submission], { env, cwd: folder });
  const said = async () => (existsSync(pidFile) ? readFile(pidFile, 'utf8') : '');
  await until('the job has begun', async () => (await said()) !== '', 60);
  const pid = Number(await said());
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  expect(await down(b, () => undefined)).toEqual([]);
  expect(existsSync(`/proc/${pid}`)).toBe(false);
}, 120_000);
