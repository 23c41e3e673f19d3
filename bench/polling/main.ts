/**
 * bench/polling: what watching costs slurmrestd. Our shared poller watches 1, 10, 100 and 1,000 held jobs, each number through a
 * counting proxy of its own, all at the same time, before a real slurmrestd: requests and bytes a minute once every job was seen.
 * With this machine's Slurm and each further release that is installed. 10,000 jobs of others are not really there: a list of
 * all jobs is counted as if it had them, by the size of ours.
 *
 * Environment: POLLING_SECONDS (360).
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandToken, SlurmClient } from 'slurm-rest-client';
import { forEachConcurrently } from '../../activities/bounded-concurrency.ts';
import { JobPoller } from '../../activities/jobs/watching/job-poller.ts';
import { isInstalled, releaseStack, slurmReleases } from '../../infra/local/slurm-releases.ts';
import { down, up } from '../../infra/local/stack.ts';
import { localEnvironment, port, type StackConfig, tokenCommand, users } from '../../infra/local/stack-config.ts';
import { workerConfig } from '../../workers/config.ts';
import { config } from '../stack.ts';
import { CountingProxy } from './counting-proxy.ts';

const counts = [1, 10, 100, 1000];
const others = 10_000;
const seconds = Number(process.env['POLLING_SECONDS'] ?? 360);
/** What a worker has if nobody says otherwise. */
const intervalMs = workerConfig(localEnvironment(config)).CRITIC_POLL_INTERVAL_MS;

interface Held {
  id: string;
  name: string;
}

async function main(): Promise<void> {
  const releases = slurmReleases.map((_, index) => index).filter((index) => isInstalled(config, index));
  const stacks = [config, ...releases.map((index) => releaseStack(config, index))];
  await Promise.all(
    stacks.map(async (stack) => {
      await up(stack, () => undefined);
      try {
        for (const line of await measure(stack)) console.log(line);
      } finally {
        await down(stack, () => undefined);
      }
    }),
  );
}

async function measure(stack: StackConfig): Promise<string[]> {
  const target = `http://127.0.0.1:${port(stack, 'slurmrestd')}`;
  const token = commandToken(tokenCommand(stack));
  const client = (baseUrl: string) => new SlurmClient({ baseUrl, auth: { userName: users.job, token } });
  const direct = client(target);
  const { release } = await direct.connect();
  const held = await submitHeld(direct, stack, Math.max(...counts));
  const title = `\nSlurm ${release}, interval ${intervalMs / 1000} s (±20 %), ${held.length} held jobs, ${others} of others, ${seconds} s`;
  const lines = [title];
  const watching = await Promise.all(counts.map(async (count) => ({ count, ...(await watch(held.slice(0, count))) })));
  while (watching.some(({ count, known }) => known() < count)) await sleep(1000);
  for (const { count, proxy } of watching) {
    lines.push(`${count} jobs, until all were seen: ${proxy.total} requests, ${(proxy.bytes / 1024).toFixed(0)} KiB`);
    proxy.reset();
  }
  await sleep(seconds * 1000);
  for (const { count, proxy, poller, slurm, known } of watching) {
    const perMinute = (value: number) => (value * 60) / seconds;
    const kinds = [...proxy.requests].map(([kind, number]) => `${kind} ${perMinute(number).toFixed(1)}`).join(', ');
    const bytes = `${(perMinute(proxy.bytes) / 1024).toFixed(0)} KiB`;
    lines.push(
      `${count} jobs (${known()} known): ${perMinute(proxy.total).toFixed(1)} requests/min, ${bytes}/min (${kinds})`,
    );
    poller.close();
    await slurm.close();
    await proxy.close();
  }
  for (const { id } of held) await direct.cancel(id);
  await direct.close();
  return lines;

  async function watch(jobs: Held[]) {
    const proxy = await CountingProxy.open(target);
    const slurm = client(proxy.url);
    await slurm.connect(); // probing for the API version is not watching
    proxy.reset();
    proxy.population = { there: held.length, others };
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
