import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isAlive, type ProcessRecord, running, start, stop } from '../../infra/local/processes.ts';

function place() {
  const folder = mkdtempSync(join(tmpdir(), 'processes-'));
  return { record: join(folder, 'one.json'), log: join(folder, 'one.log'), cwd: folder };
}

function startShell(script: string) {
  const { record, log, cwd } = place();
  const made = start(record, {
    argv: ['/bin/sh', '-c', script],
    env: { PATH: '/usr/bin:/bin' },
    cwd,
    log,
    fingerprint: script,
  });
  onTestFinished(() => {
    if (isAlive(made)) process.kill(made.pid, 'SIGKILL');
  });
  return { record, log, made };
}

async function until(what: () => boolean) {
  for (let i = 0; i < 200 && !what(); i += 1) await sleep(25);
  expect(what()).toBe(true);
}

describe('a process that was started', () => {
  it('is running by its record, writes to its log, and is gone after stop', async () => {
    const { record, log, made } = startShell('echo hello; exec sleep 60');
    expect(running(record)).toEqual(made);
    await until(() => readFileSync(log, 'utf8') === 'hello\n');
    await stop(record);
    expect(isAlive(made)).toBe(false);
    expect(running(record)).toBeUndefined();
  });

  it('is killed if it does not heed TERM in time', async () => {
    const { record, log, made } = startShell('trap "" TERM; echo deaf; while :; do sleep 0.1; done');
    await until(() => readFileSync(log, 'utf8') === 'deaf\n');
    await stop(record, 300);
    expect(isAlive(made)).toBe(false);
  });

  it('counts as ended once it has ended, though nobody has waited for it yet', async () => {
    const { record } = startShell('sleep 0.3; exit 3');
    expect(running(record)).toBeDefined();
    await until(() => running(record) === undefined);
  });

  it('that cannot be started is one sentence with the place of its log', () => {
    const { record, log, cwd } = place();
    const launch = { argv: ['/no/such/program'] as [string], env: {}, cwd, log, fingerprint: '' };
    expect(() => start(record, launch)).toThrow(`could not start /no/such/program: see ${log}`);
  });
});

describe('a record that tells of another process', () => {
  function foreign(change: Partial<ProcessRecord>) {
    const bystander = startShell('exec sleep 60');
    const { record } = place();
    writeFileSync(record, JSON.stringify({ ...bystander.made, ...change }));
    return { record, bystander: bystander.made };
  }

  it.each([
    ['by its start time', { startTime: '1' }],
    ['from before a reboot', { boot: '00000000-0000-0000-0000-000000000000' }],
  ])('%s is not running, and stop leaves that process alone', async (_, change) => {
    const { record, bystander } = foreign(change);
    expect(running(record)).toBeUndefined();
    await stop(record);
    expect(isAlive(bystander)).toBe(true);
  });

  it.each(['', '{"pid": 1', '[]', 'null', '{"pid": 1}'])('or is torn (%j) counts as none', async (text) => {
    const { record } = place();
    writeFileSync(record, text);
    expect(running(record)).toBeUndefined();
    await stop(record);
  });
});
