/** `critic nights`, asked of a store with three weeks of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { threeWeeks } from '../activities/pages/nights-fixtures.ts';
import { askedStore } from './asked-store.ts';
import { critic, fakeServer } from './fakes.ts';

describe('critic nights', () => {
  it('lists them newest first in 80 columns, says why one had no run, and writes the page', async () => {
    const { store, server } = await askedStore();
    await threeWeeks(store);
    const { out, code } = await critic(['nights', '--limit', '5'], server);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.slice(1, 5).map((line) => line.split(/ {2,}/).slice(0, 3))).toEqual([
      ['2026-11-21 01:30', 'nightly', 'under-way'],
      ['2026-11-20 01:30', 'nightly', 'wrong-recipe'],
      ['2026-11-19 01:30', 'nightly', 'skipped'],
      ['2026-11-18 01:30', 'nightly', 'passed'],
    ]);
    expect(lines[4]).toMatch(/ 0\.7\d\d +\+0\.01\d +4\.50 +0\.625$/);
    expect(out).toContain('2026-11-19 01:30 nightly: the night of 2026-11-18 01:30 UTC still goes on');
    expect(out).toContain('not read: nights/weekly/turn-000002.json');
    expect(lines.at(-1)).toBe(`page: ${join(store.root, 'nights.html')}`);
    expect(Math.max(...lines.slice(0, 6).map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(await readFile(join(store.root, 'nights.html'), 'utf8')).toContain('nightly-18');
  });

  it('names the address of the page where it is served', async () => {
    const update = () => ({ page: '/s/nights.html', url: 'http://pages/nights.html', nights: [], unreadable: [] });
    const { out } = await critic(['nights'], fakeServer({ 'critic-caretaker': { update } }));
    expect(out).toBe('no nights yet\npage: http://pages/nights.html\n');
  });
});
