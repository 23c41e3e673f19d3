/** Promotions as compare-and-set: two hosts at once, old views of the folder, kill -9 in the middle. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FolderView, ownView, promote, readChampions } from '../../../activities/gate/champion-file.ts';
import { rejection, temporaryFolder } from '../fixtures.ts';
import { bench, benchOfEachTest } from './gate-fixtures.ts';
import { faultsOfHistory, killedPromoters, promoter } from './promoters.ts';

benchOfEachTest(120_000);

describe('two gates at once', () => {
  /** Shows the bench.folder as it was for the first look, as an old cache does. */
  async function oldView(): Promise<FolderView> {
    const names = await readdir(bench.folder);
    let looks = 0;
    return {
      ...ownView,
      names: async (path) => {
        looks += 1;
        return looks === 1 ? names : ownView.names(path);
      },
    };
  }

  it('the second, on a host with an old view, is judged again and does not replace what is better', async () => {
    await bench.gate(await bench.candidate('run-1', 6));
    const view = await oldView();
    await bench.gate(await bench.candidate('run-best', 0.4));
    const decision = await bench.gate(await bench.candidate('run-late', 3), view);
    expect(decision).toMatchObject({ passed: false, champion: 'run-best' });
    expect(await bench.runs()).toEqual(['run-1', 'run-best']);
  });

  it('a view that stays old is judged again by what the file server refused', async () => {
    await bench.gate(await bench.candidate('run-1', 6));
    const names = await readdir(bench.folder);
    await bench.gate(await bench.candidate('run-2', 3));
    const decision = await bench.gate(await bench.candidate('run-3', 0.4), { ...ownView, names: async () => names });
    expect(decision).toMatchObject({ passed: true, champion: 'run-2' });
    expect(await bench.runs()).toEqual(['run-1', 'run-2', 'run-3']);
  });

  it('of two first champions the worse one never stands over the better', async () => {
    const worse = await bench.candidate('run-worse', 4);
    const better = await bench.candidate('run-better', 0.4);
    const decisions = await Promise.all([bench.gate(better), bench.gate(worse)]);
    expect((await bench.runs()).at(-1)).toBe('run-better');
    expect(await bench.runs()).toHaveLength(decisions.filter(({ passed }) => passed).length);
  });

  it('a run whose promotion was not answered finds itself, also from an old view', async () => {
    await bench.gate(await bench.candidate('run-1', 6));
    const view = await oldView();
    const request = await bench.candidate('run-2', 0.4);
    const decision = await bench.gate(request);
    expect(await bench.gate(request, view)).toEqual(decision);
    expect(await bench.runs()).toEqual(['run-1', 'run-2']);
  });

  it('a run that was promoted and then followed gives its decision, not another promotion', async () => {
    const first = await bench.candidate('run-1', 3);
    const decision = await bench.gate(first);
    await bench.gate(await bench.candidate('run-2', 0.4));
    expect(await bench.gate(first)).toEqual(decision);
    expect(await bench.runs()).toEqual(['run-1', 'run-2']);
  });
});

describe('promote', () => {
  it('takes each number once', async () => {
    await bench.gate(await bench.candidate('run-1', 3));
    const [first] = await bench.champions();
    if (first === undefined) throw new Error('expected a champion');
    const next = { ...first, version: 2, base: 1 };
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((run) => promote(bench.folder, { ...next, run })));
    expect(answers.toSorted()).toEqual(['promoted', 'taken', 'taken', 'taken']);
    expect((await readdir(bench.folder)).toSorted()).toEqual(['000001', '000001.json', '000002.json']);
  });
});

describe('processes that promote into one folder', () => {
  it('never put the lower score over the higher, each version follows the one before, and none is lost', async () => {
    const folder = join(await temporaryFolder(), 'champions', 'test');
    const [a, b, killed] = await Promise.all([
      promoter({ folder, name: 'a', candidates: 100, seed: 101 }),
      promoter({ folder, name: 'b', candidates: 100, seed: 102, stale: true }),
      killedPromoters(folder, 'k', 5),
    ]);
    expect(await faultsOfHistory(folder, [a, b, ...killed])).toEqual([]);
  });
});

describe('a version that is known to exist', () => {
  it('is waited for where an old view hides the file', async () => {
    await bench.gate(await bench.candidate('run-1', 3));
    let looks = 0;
    const hidden: FolderView = {
      names: async () => [],
      text: async (path) => {
        if (path.endsWith('000001.json')) looks += 1;
        return looks > 1 ? ownView.text(path) : undefined;
      },
    };
    const found = await readChampions(bench.folder, new AbortController().signal, 1, hidden);
    expect(found).toMatchObject([{ run: 'run-1', version: 1 }]);
  });

  it('waits no longer than the activity', async () => {
    const hidden: FolderView = { names: async () => [], text: async () => undefined };
    const error = await rejection(readChampions(bench.folder, AbortSignal.timeout(20), 1, hidden));
    expect(error).toMatchObject({ name: 'AbortError' });
  });
});
