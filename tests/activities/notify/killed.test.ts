/** Tellers as real processes: killed with -9, and several at once. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Outbox } from '../../../activities/notify/outbox.ts';
import type { Notice } from '../../../domain/notices/notice.ts';
import { type Answer, ok, type Receiver, receiver, secretFile } from './receivers.ts';

const program = fileURLToPath(new URL('teller.ts', import.meta.url));
let root = '';
let hook: Receiver;
const children: ChildProcess[] = [];
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'critic-tellers-'))));
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  hook.close();
  rmSync(root, { recursive: true, force: true });
});

function teller(): ChildProcess {
  const channels = {
    channels: { slack: { slack: { url_file: secretFile(root, 'url', hook.url) } } },
    default: ['slack'],
  };
  const child = spawn(process.execPath, [program, JSON.stringify({ store: root, channels })], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  return child;
}

function notice(id: string): Notice {
  return { id, kind: 'failed', at: new Date().toISOString(), title: id, text: '', commands: [] };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it did not come about within a minute');
}

const idsSeen = () => hook.seen.map(({ headers }) => headers['idempotency-key']);

describe('a teller', () => {
  it.each<[string, (kill: () => void) => Answer]>([
    ['before the receiver has answered', (kill) => () => kill()],
    [
      'when the receiver has answered',
      (kill) => (_request, response) => {
        response.writeHead(200).end();
        response.once('finish', kill);
      },
    ],
  ])(
    'that is killed %s sends the notice again under the same id when the next one takes over',
    async (_when, deadly) => {
      let child: ChildProcess | undefined;
      let first = true;
      const answer = deadly(() => void child?.kill('SIGKILL'));
      hook = await receiver((request, response, body) => (first ? answer : ok)(request, response, body));
      const outbox = new Outbox(root);
      await outbox.put(notice('n1'));
      child = teller();
      await until(() => child?.signalCode === 'SIGKILL');
      // A kill that came late finds it recorded: then nothing may be sent again.
      const isRecorded = (await outbox.delivery('n1', 'slack'))?.state === 'sent';
      first = false;
      teller();
      await until(async () => (await outbox.delivery('n1', 'slack'))?.state === 'sent');
      expect(idsSeen()).toEqual(isRecorded ? ['n1'] : ['n1', 'n1']);
    },
    120_000,
  );

  it('is one of two: each notice is sent once; when it is killed, the other goes on', async () => {
    hook = await receiver(ok);
    const outbox = new Outbox(root);
    const ids = Array.from({ length: 20 }, (_, index) => `n${index}`);
    for (const id of ids) await outbox.put(notice(id));
    const both = [teller(), teller()];
    await until(() => hook.seen.length >= ids.length);
    const holders = await holdersOf(outbox);
    expect(holders).toHaveLength(1);
    both.find(({ pid }) => pid === holders[0])?.kill('SIGKILL');
    await outbox.put(notice('after'));
    await until(async () => (await outbox.delivery('after', 'slack'))?.state === 'sent');
    expect(idsSeen()).toHaveLength(21);
    expect(new Set(idsSeen())).toEqual(new Set([...ids, 'after']));
    expect(await holdersOf(outbox)).not.toEqual(holders);
  }, 120_000);
});

/** Pids of who holds the outbox. */
async function holdersOf({ folder }: Outbox): Promise<number[]> {
  const { readdir } = await import('node:fs/promises');
  return (await readdir(join(folder, 'holder'))).map((name) => Number(name.split('~')[1]));
}
