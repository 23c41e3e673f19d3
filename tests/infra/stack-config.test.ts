import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { services } from '../../infra/local/services.ts';
import { releaseStack, slurmReleases } from '../../infra/local/slurm-releases.ts';
import { gresConf, slurmConf, slurmdbdConf } from '../../infra/local/slurm-files.ts';
import { status } from '../../infra/local/stack.ts';
import {
  folders,
  localEnvironment,
  port,
  type StackConfig,
  stackConfig,
  tokenCommand,
} from '../../infra/local/stack-config.ts';

const one: StackConfig = {
  checkout: stackConfig({}).checkout,
  cache: '/nowhere/cache',
  state: '/nowhere/state',
  portBase: 17_000,
  host: 'box',
};
const other: StackConfig = { ...one, state: '/nowhere/other', portBase: 27_000 };
const releases = slurmReleases.map((_, index) => releaseStack(other, index));

function ports(config: StackConfig): number[] {
  return services(config).flatMap((service) => service.port ?? []);
}

describe('the ports of a stack', () => {
  it('are its own: no two services and no two stacks share one', () => {
    const all = [one, other, ...releases].flatMap(ports);
    expect(all.length).toBeGreaterThan(12);
    expect(new Set(all).size).toBe(all.length);
    expect(Math.min(...all)).toBeGreaterThan(17_000);
  });

  it('hands the worker the environments file that the caller names', () => {
    const file = '/shared/environments.yaml';
    const named = localEnvironment(stackConfig({ CRITIC_ENVIRONMENTS_FILE: file }));
    expect(named).toMatchObject({ CRITIC_ENVIRONMENTS_FILE: file });
    expect(localEnvironment(stackConfig({}))).not.toHaveProperty('CRITIC_ENVIRONMENTS_FILE');
  });

  it.each(['80', '70000', 'x', '1e9', '17000.5'])('refuses CRITIC_PORT_BASE=%s with a sentence', (base) => {
    expect(() => stackConfig({ CRITIC_PORT_BASE: base })).toThrow(
      `CRITIC_PORT_BASE: expected a whole number from 1024 to 64000, got "${base}"`,
    );
  });
});

describe("slurm's files", () => {
  it('put every node on a port of its own with eight GPUs that exist', () => {
    const text = slurmConf(one);
    const found = [...text.matchAll(/^NodeName=(\S+) .*Port=(\d+) .*Gres=gpu:a100:8$/gm)];
    expect(found.map(([, name, number]) => [name, Number(number)])).toEqual([
      ['a100-0', port(one, 'slurmd')],
      ['a100-1', port(one, 'slurmd') + 1],
    ]);
    expect(gresConf(one)).toBe('Name=gpu Type=a100 File=/nowhere/state/local/slurm/devices/nvidia[0-7]\n');
  });

  it('share one key and one socket, whose path a Unix socket can have', () => {
    const key = `jwt_key=${join(folders(one).slurm, 'jwt.key')}`;
    const socket = join(folders(one).run, 'munge.socket');
    for (const text of [slurmConf(one), slurmdbdConf(one)]) {
      expect(text).toContain(`AuthAltTypes=auth/jwt\nAuthAltParameters=${key}\n`);
      expect(text).toContain(`AuthInfo=socket=${socket}\n`);
    }
    expect(join(folders(stackConfig({})).run, 'munge.socket').length).toBeLessThan(100);
  });

  it('of two stacks name no common path but the checkout', () => {
    expect(slurmConf(other) + slurmdbdConf(other)).not.toContain('/nowhere/state');
  });
});

describe("another release's stack", () => {
  it('is Slurm alone, in a state of its own, each program below its root with its own /proc', () => {
    for (const stack of releases) {
      expect(stack.state).not.toBe(other.state);
      expect(services(stack).map(({ name }) => name)).not.toContain('worker');
      const token = tokenCommand(stack);
      expect(token.slice(0, 4)).toEqual(['/usr/bin/unshare', '--mount', `--root=${stack.slurm?.root}`, '--mount-proc']);
    }
    expect(releases.length).toBeGreaterThan(0);
  });
});

describe('the environment of worker and command line', () => {
  it('holds addresses and paths: the key by its file, the token by its command', () => {
    const env = localEnvironment(one);
    expect(env.CRITIC_LLM_API_KEY_FILE).toBe('/nowhere/state/local/teacher.key');
    expect(JSON.parse(env.CRITIC_SLURM_TOKEN_COMMAND ?? '')).toContain('token');
    expect(Object.keys(env).filter((name) => /KEY$|TOKEN$|JWT/.test(name))).toEqual([]);
  });
});

describe('the order of services', () => {
  it('names only services that come before', () => {
    const before = new Set<string>();
    for (const { name, after } of services(one)) {
      expect(after.filter((needed) => !before.has(needed))).toEqual([]);
      before.add(name);
    }
    expect(before.size).toBe(11);
  });

  it('shows all as stopped where nothing was ever started', () => {
    expect(status(one).map(({ state }) => state)).toEqual(Array.from({ length: 11 }, () => 'stopped'));
  });
});
