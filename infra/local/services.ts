/**
 * Services: what a local stack consists of, in starting order: how each is launched, when it is ready, what it needs.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from './service.ts';
import { nodes } from './slurm-files.ts';
import { systemPath as path } from './slurm-root.ts';
import { slurmServices } from './slurm-services.ts';
import { folders, localEnvironment, port, pythonEnvironment, type StackConfig } from './stack-config.ts';
import { behindStaleView } from './stale-view.ts';
import { temporalBinary } from './temporal-binary.ts';
import { environment, nodeFlags } from '../../workers/process-settings.ts';

export function services(config: StackConfig): Service[] {
  if (config.slurm !== undefined && config.slurm.whole !== true) return slurmServices(config);
  const ownTemporal = config.sharedTemporal === undefined ? [temporal(config)] : [];
  return [...slurmServices(config), ...ownTemporal, teacher(config), worker(config), pages(config)];
}

function temporal(config: StackConfig): Service {
  const where = folders(config);
  const address = port(config, 'temporal');
  return {
    name: 'temporal',
    after: [],
    port: address,
    deadlineSeconds: 60,
    launch: () => ({
      argv: [
        temporalBinary(config),
        'server',
        'start-dev',
        '--ip',
        '127.0.0.1',
        '--port',
        String(address),
        '--ui-port',
        String(port(config, 'temporalUi')),
        '--metrics-port',
        String(port(config, 'temporalMetrics')),
        '--db-filename',
        join(where.local, 'temporal.db'),
        '--log-level',
        'error',
      ],
      env: { PATH: path, HOME: where.local },
      cwd: where.local,
    }),
    ready: async () => {
      const { registerSearchAttributes } = await import('./search-attributes.ts');
      await registerSearchAttributes(`127.0.0.1:${address}`);
    },
  };
}

function teacher(config: StackConfig): Service {
  const where = folders(config);
  return {
    name: 'teacher',
    after: [],
    port: port(config, 'teacher'),
    deadlineSeconds: 30,
    launch: () => ({
      argv: [
        join(pythonEnvironment(config), 'bin/python'),
        '-m',
        'teacher',
        '--host',
        '127.0.0.1',
        '--port',
        String(port(config, 'teacher')),
        '--key-file',
        where.teacherKey,
      ],
      env: {
        PATH: path,
        PYTHONPATH: `${join(config.checkout, 'trainer')}:${join(config.checkout, 'infra/local')}`,
        OMP_NUM_THREADS: '1',
        PYTHONDONTWRITEBYTECODE: '1',
      },
      cwd: where.local,
    }),
    ready: async () => {
      const answer = await fetch(`http://127.0.0.1:${port(config, 'teacher')}/healthz`);
      if (!answer.ok) throw new Error(`healthz answered ${answer.status}`);
    },
  };
}

function worker(config: StackConfig): Service {
  const where = folders(config);
  const argv: [string, ...string[]] = [process.execPath, ...nodeFlags, join(config.checkout, 'workers/main.ts')];
  return {
    name: 'worker',
    after: ['temporal', 'slurmrestd', 'teacher', ...nodes.map((node) => `slurmd-${node}`)],
    deadlineSeconds: 60,
    launch: () => ({
      argv: config.staleSeconds === undefined ? argv : behindStaleView(argv, where.store, config.staleSeconds),
      env: {
        PATH: path,
        HOME: where.local,
        ...environment,
        ...localEnvironment(config),
        CRITIC_READY_FILE: where.workerReady,
      },
      cwd: config.checkout,
    }),
    ready: async () => {
      const record: unknown = JSON.parse(readFileSync(join(where.pids, 'worker.json'), 'utf8'));
      const pid = typeof record === 'object' && record !== null && 'pid' in record ? record.pid : undefined;
      if (!existsSync(where.workerReady) || readFileSync(where.workerReady, 'utf8').trim() !== String(pid)) {
        throw new Error('the worker has not said that it is ready');
      }
    },
  };
}

/** Reports and nights at an address, which the Temporal UI links to. */
function pages(config: StackConfig): Service {
  const where = folders(config);
  const address = port(config, 'pages');
  return {
    name: 'pages',
    after: [],
    port: address,
    deadlineSeconds: 30,
    launch: () => ({
      argv: [
        process.execPath,
        join(config.checkout, 'cli/main.ts'),
        'serve',
        '--store',
        where.store,
        '--port',
        String(address),
      ],
      env: { PATH: path, HOME: where.local },
      cwd: config.checkout,
    }),
    ready: async () => {
      const answer = await fetch(`http://127.0.0.1:${address}/`, { redirect: 'manual' });
      if (answer.status !== 302) throw new Error(`the front page answered ${answer.status}`);
    },
  };
}
