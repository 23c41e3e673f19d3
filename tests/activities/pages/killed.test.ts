/** A writer of nights.html that is killed -9 at any moment: what is there is whole, what is left half written is found, and the next writer writes it again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { leftoversIn } from '../../../activities/keeping/survey.ts';
import { writeNights } from '../../../activities/pages/nights.ts';
import { makeStore } from '../evaluation/evaluation-fixtures.ts';
import { threeWeeks } from './nights-fixtures.ts';

const from = (path: string) => JSON.stringify(fileURLToPath(new URL(path, import.meta.url)));
/** Writes again and again, and says when it has begun. */
const writer = `
import { ArtifactStore } from ${from('../../../activities/store/artifact-store.ts')};
import { writeNights } from ${from('../../../activities/pages/nights.ts')};
const store = new ArtifactStore(process.argv[1]);
console.log('begun');
for (;;) await writeNights({ store }, () => new Date());
`;

const whole = /^<!doctype html>[\s\S]*nightly-18[\s\S]*<\/html>\s*$/;
const pageIn = (root: string) => readFileSync(join(root, 'nights.html'), 'utf8');

it('a killed writer leaves a whole page, and its leavings are found', async () => {
  const store = await makeStore();
  await threeWeeks(store);
  const now = () => new Date('2026-11-22T08:00:00Z');
  await writeNights({ store }, now);
  for (const waited of [40, 90, 140, 190, 260, 340]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer, store.root], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    const seen: string[] = [];
    try {
      await once(createInterface(child.stdout), 'line');
      // Whoever looks meanwhile sees a whole page too.
      for (const until = Date.now() + waited; Date.now() < until; await sleep(1)) seen.push(pageIn(store.root));
    } finally {
      child.kill('SIGKILL');
    }
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(seen.filter((page) => !whole.test(page))).toEqual([]);
    expect(pageIn(store.root)).toMatch(whole);
    expect(JSON.parse(readFileSync(join(store.root, 'nights.json'), 'utf8'))).toMatchObject({ totals: { nights: 22 } });
  }
  writeFileSync(join(store.root, 'nights.html.01234567-89ab-4cde-8f01-23456789abcd.tmp'), '<!doctype');
  const halves = readdirSync(store.root).filter((name) => name.endsWith('.tmp'));
  const found = await leftoversIn(store.root, Date.now() + 1000);
  expect(found.filter((path) => path.includes('nights.')).length).toBe(halves.length);
  expect(halves).not.toEqual([]);
  const { nights } = await writeNights({ store }, now);
  expect(nights.nights[0]?.rows).toHaveLength(21);
}, 60_000);
