/**
 * bench/polling: what watching costs slurmrestd. Our shared poller watches 1, 10, 100 and 1,000 held jobs, each number through a
 * counting proxy of its own, all at the same time, before a real slurmrestd: requests and bytes a minute. Once with this
 * machine's Slurm, once with each further release that is installed.
 *
 * Environment: POLLING_SECONDS (120).
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandToken, SlurmClient } from 'slurm-rest-client';
import { forEachConcurrently } from '../../activities/concurrently.ts';
import { JobPoller } from '../../activities/job-poller.ts';
import { isInstalled, releaseStack, slurmReleases } from '../../infra/local/slurm-releases.ts';
import { down, up } from '../../infra/local/stack.ts';
import { localEnvironment, port, type StackConfig, tokenCommand, users } from '../../infra/local/stack-config.ts';
import { workerConfig } from '../../workers/config.ts';
import { config } from '../stack.ts';
import { CountingProxy } from './counting-proxy.ts';

const counts = [1, 10, 100, 1000];
const seconds = Number(process.env['POLLING_SECONDS'] ?? 120);
/** What a worker has if nobody says otherwise. */
const intervalMs = workerConfig(localEnvironment(config)).CRITIC_POLL_INTERVAL_MS;

interface Held {
  id: string;
  name: string;
}

async function main(): Promise<void> {
  const releases = slurmReleases.map((_, index) => index).filter((index) => isInstalled(config, index));
  for (const stack of [config, ...releases.map((index) => releaseStack(config, index))]) {
    await up(stack, () => undefined);
    try {
      await measure(stack);
    } finally {
      await down(stack, () => undefined);
    }
  }
}

async function measure(stack: StackConfig): Promise<void> {
  const target = `http://127.0.0.1:${port(stack, 'slurmrestd')}`;
  const token = commandToken(tokenCommand(stack));
  const client = (baseUrl: string) => new SlurmClient({ baseUrl, auth: { userName: users.job, token } });
  const direct = client(target);
  const { release } = await direct.connect();
  const held = await submitHeld(direct, stack, Math.max(...counts));
  console.log(`\nSlurm ${release}, a poll each ${intervalMs / 1000} s (±20 %), ${held.length} held jobs, ${seconds} s`);
  const watching = await Promise.all(counts.map(async (count) => ({ count, ...(await watch(held.slice(0, count))) })));
  await sleep(seconds * 1000);
  for (const { count, proxy, poller, slurm, known } of watching) {
    const perMinute = (value: number) => (value * 60) / seconds;
    const kinds = [...proxy.requests].map(([kind, number]) => `${kind} ${perMinute(number).toFixed(1)}`).join(', ');
    const bytes = `${(perMinute(proxy.bytes) / 1024).toFixed(0)} KiB`;
    console.log(
      `${count} jobs (${known()} known): ${perMinute(proxy.total).toFixed(1)} requests/min, ${bytes}/min (${kinds})`,
    );
    poller.close();
    await slurm.close();
    await proxy.close();
  }
  for (const { id } of held) await direct.cancel(id);
  await direct.close();

  async function watch(jobs: Held[]) {
    const proxy = await CountingProxy.open(target);
    const slurm = client(proxy.url);
    await slurm.connect(); // probing for the API version is not watching
    proxy.reset();
    const poller = new JobPoller(slurm, { intervalMs, maxBackoffMs: 60_000 });
    const watches = jobs.map(({ id, name }) => poller.watch(id, name));
    return { proxy, slurm, poller, known: () => watches.filter((one) => one.state().kind === 'known').length };
  }
}

async function submitHeld(client: SlurmClient, stack: StackConfig, count: number): Promise<Held[]> {
  const folder = join(stack.slurm?.root ?? '', stack.state, 'held');
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  const stamp = Date.now().toString(36);
  const names = Array.from({ length: count }, (_, index) => `held-${stamp}-${index}`);
  const jobs: Held[] = [];
  await forEachConcurrently(names, 4, async (name) => {
    const { jobId } = await client.submit({
      name,
      script: '#!/bin/bash\ntrue\n',
      environment: { PATH: '/usr/bin:/bin' },
      currentWorkingDirectory: '/tmp',
      standardOutput: '/dev/null',
      nodes: 1,
      tasks: 1,
      cpusPerTask: 1,
      timeLimitMinutes: 5,
      excludedNodes: [],
      requeue: false,
      openMode: 'append',
      comment: '',
      hold: true,
    });
    jobs.push({ id: jobId, name });
  });
  return jobs;
}

await main();
