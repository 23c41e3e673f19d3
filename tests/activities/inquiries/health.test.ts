/** What the worker says of itself: each check by itself, on a real folder and on a Slurm that answers as told. */
import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { answerHealth, type HealthDeps } from '../../../activities/inquiries/health.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { TeacherAccounts } from '../../../activities/teacher/accounts.ts';
import { temporaryFolder } from '../fixtures.ts';

let root: string;
let key: string;
beforeEach(async () => {
  root = await temporaryFolder();
  await chmod(root, 0o750);
  key = join(await temporaryFolder(), 'key');
  await writeFile(key, 'sk-very-secret\n', { mode: 0o600 });
});

async function looked(changed: object = {}) {
  const slurm = {
    server: { apiVersion: 'v0.0.42', release: '24.11.5', cluster: '' },
    connect: async () => ({ apiVersion: 'v0.0.42' }),
    ping: async () => ({ up: true, controllers: [{ host: 'ctl', mode: 'primary', up: true }] }),
    partitions: async () => [{ name: 'a100', state: 'UP', totalNodes: 2, maxTimeMinutes: undefined }],
    associations: async () => [],
    qos: async () => [],
  };
  const all = {
    store: new ArtifactStore(root),
    slurm,
    accounting: { notice: async () => undefined },
    llm: new TeacherAccounts({ baseUrl: 'http://127.0.0.1:1', apiKeyFile: key }),
    job: { python: '/no/python', environments: [], userName: 'critic', trainerSource: '/no/trainer' },
    tokenEnds: async () => new Date(Date.now() + 3_600_000 + 5000),
    ...changed,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no more of them is used
  const { checks } = await answerHealth(all as unknown as HealthDeps).answer({});
  return (what: string) => {
    const found = checks.filter((check) => check.what === what);
    return found.map(({ state, sentence }) => `${state}: ${sentence}`).join('\n');
  };
}

describe('the worker’s health', () => {
  it('is good where all is in order, and leaves nothing behind', async () => {
    const say = await looked();
    expect(say('store')).toBe(`good: "${root}" can be written and read, mode 0750`);
    expect(say('disk')).toMatch(/^(?:good|note): \d+ GiB free/);
    expect(say('file system')).toMatch(/^good: /);
    expect(say('slurmrestd')).toBe('good: v0.0.42 of Slurm 24.11.5, user critic; controller ctl; 1 partition');
    expect(say('partitions')).toBe('good: a100: up, 2 nodes, no time limit');
    expect(say('accounts')).toMatch(/^note: user critic has no account/);
    expect(say('channels')).toMatch(/^note: nobody is told/);
    expect(say('Slurm token')).toMatch(/^good: it ends \S+Z, in 60 minutes$/);
    expect(say('slurmdbd')).toBe('good: it answers');
    // Nobody listens there; that a key is tried on a real server is a test of its own.
    expect(say('teacher key')).toMatch(/^problem: the list of models: Connection error/);
    expect(await readdir(root)).toEqual([]);
  });

  it('says of each thing that fails what is expected, and never a secret', async () => {
    await chmod(root, 0o757);
    await chmod(key, 0o644);
    const away = { connect: () => Promise.reject(new Error('connect ECONNREFUSED')) };
    const ends = async () => new Date(Date.now() + 30_000);
    const silent = { notice: async () => 'slurmdbd does not answer' };
    const say = await looked({ slurm: away, tokenEnds: ends, accounting: silent });
    expect(say('store')).toContain(`problem: "${root}": expected no rights for others, got mode 0757`);
    expect(say('slurmrestd')).toBe('problem: connect ECONNREFUSED');
    expect(say('Slurm token')).toMatch(/^problem: .* in 0 minutes$/);
    expect(say('slurmdbd')).toBe('note: slurmdbd does not answer');
    expect(say('accounts')).toMatch(/^note: without slurmdbd/);
    expect(say('teacher key')).toContain('expected mode 0600, got 0644');
    expect(say('teacher key')).not.toContain('secret');
    // An environment that cannot be asked is told; a recipe that needs it is refused before its run.
    expect(say('environments')).toContain('/no/python');
  });

  it('says so where the store is not there, and where a controller is down', async () => {
    const slurm = {
      connect: async () => ({ apiVersion: 'v0.0.42' }),
      ping: async () => ({ up: false, controllers: [{ host: 'ctl', mode: 'primary', up: false }] }),
    };
    const say = await looked({ store: new ArtifactStore(join(root, 'none')), slurm, tokenEnds: async () => undefined });
    expect(say('store')).toMatch(/^problem: ENOENT/);
    expect(say('slurmrestd')).toBe('problem: expected a controller that answers, got ctl (down)');
    expect(say('Slurm token')).toBe('note: it does not say when it ends');
  });
});
