import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Champion, versionPath } from '../../../activities/gate/champion-file.ts';
import { evaluationPairs, publishGrpo } from '../evaluation/evaluation-fixtures.ts';
import { rejection } from '../fixtures.ts';
import { bench, benchOfEachTest, benchOfItsOwn } from './gate-fixtures.ts';

benchOfEachTest();

describe('judgeGate', () => {
  it('makes the first candidate that is good enough the champion, and the reference', async () => {
    const request = await bench.candidate('run-1', 1);
    const decision = await bench.gate(request);
    expect(decision).toMatchObject({ passed: true, champion: null });
    expect(decision.reasons).toContain('no champion before');
    const known = {
      run: 'run-1',
      model: { key: request.candidate.key, path: request.candidate.path },
      evaluation: { key: request.evaluation.key, path: request.evaluation.path },
      main_score: decision.mainScore,
    };
    expect(await bench.champions()).toMatchObject([
      { ...known, version: 1, base: null, reference: { version: 1, ...known } },
    ]);
    expect((await readdir(bench.folder)).toSorted()).toEqual(['000001', '000001.json']);
  });

  it('makes none of one that is not', async () => {
    const request = await bench.candidate('run-1', 2);
    const decision = await bench.gate({ ...request, plan: bench.plan('run-1', { min_main_score: 0.999 }) });
    expect(decision.passed).toBe(false);
    expect(await bench.champions()).toEqual([]);
  });

  it('judges the run of an experiment, and never makes it champion', async () => {
    const request = await bench.candidate('run-1', 2);
    const plan = { ...request.plan, experiment: { id: 'experiment-e', arm: 'a', seed: 1 } };
    const decision = await bench.gate({ ...request, plan });
    expect(decision).toMatchObject({ passed: true, outcome: 'keep', champion: null });
    expect(decision.reasons).toContain('a run of an experiment: it becomes no champion');
    expect(await bench.champions()).toEqual([]);
  });

  it('adds a better one, which is then the reference, and leaves the old one as it was', async () => {
    await bench.gate(await bench.candidate('run-1', 3));
    const first = await readFile(versionPath(bench.folder, 1), 'utf8');
    const decision = await bench.gate(await bench.candidate('run-2', 0.4));
    expect(decision).toMatchObject({ passed: true, champion: 'run-1' });
    expect(decision.reasons.join('; ')).not.toContain('unpaired');
    expect(await bench.champions()).toMatchObject([
      { run: 'run-1', version: 1 },
      { run: 'run-2', version: 2, base: 1, reference: { run: 'run-2', version: 2 } },
    ]);
    expect(await readFile(versionPath(bench.folder, 1), 'utf8')).toBe(first);
  });

  it('keeps the champion against one that is not shown to be within the margin', async () => {
    await bench.gate(await bench.candidate('run-1', 0.4));
    const decision = await bench.gate(await bench.candidate('run-2', 4));
    expect(decision).toMatchObject({ passed: false, champion: 'run-1' });
    expect(await bench.runs()).toEqual(['run-1']);
  });

  it('holds a candidate to the reference too, where small losses went before', async () => {
    await bench.gate(await bench.candidate('run-1', 0.4));
    const second = await bench.candidate('run-2', 1.5);
    await bench.gate({ ...second, plan: bench.plan('run-2', { margin: 2 }) });
    expect(await bench.champions()).toMatchObject([{ run: 'run-1' }, { run: 'run-2', reference: { run: 'run-1' } }]);
    const decision = await bench.gate(await bench.candidate('run-3', 1.4));
    expect(decision.passed).toBe(false);
    expect(decision.reasons).toContainEqual(expect.stringMatching(/^difference to reference run-1: /));
  });

  it('takes the reference that the recipe pins, and keeps it', async () => {
    for (const [run, noise] of [
      ['run-1', 3],
      ['run-2', 0.4],
    ] as const) {
      await bench.gate(await bench.candidate(run, noise));
    }
    const third = await bench.candidate('run-3', 0.3);
    const pinned = { ...third, plan: bench.plan('run-3', { reference: 'run-1', margin: 0.5 }) };
    expect((await bench.gate(pinned)).reasons.join('; ')).toContain('difference to reference run-1');
    expect((await bench.champions()).at(-1)).toMatchObject({ run: 'run-3', reference: { run: 'run-1', version: 1 } });
    const error = await rejection(bench.gate({ ...third, plan: bench.plan('run-4', { reference: 'run-9' }) }));
    expect(error).toMatchObject({ type: 'RecipeInvalid', nonRetryable: true });
    expect(String(error)).toContain('the last are run-1, run-2, run-3), got "run-9"');
  });

  it('knows the champion’s own artifact when another run brings it', async () => {
    const request = await bench.candidate('run-1', 1);
    await bench.gate(request);
    const decision = await bench.gate({ ...request, plan: bench.plan('run-2') });
    expect(decision.passed).toBe(true);
    expect(decision.reasons).toContain('it is the champion already');
    expect(await bench.runs()).toEqual(['run-1']);
  });

  it('compares unpaired, and says so, where the champion was measured on other pairs', async () => {
    await bench.gate(await bench.candidate('run-1', 3, evaluationPairs(11, 3)));
    const request = await bench.candidate('run-2', 0.4);
    const decision = await bench.gate({ ...request, plan: bench.plan('run-2', { margin: 0.3 }) });
    expect(decision.passed).toBe(true);
    expect(decision.reasons.at(-1)).toMatch(/^compared unpaired: .*33 there, 36 here/);
    // A gain on other pairs may be that of easier pairs.
    expect((await bench.champions()).at(-1)).toMatchObject({ run: 'run-2', reference: { run: 'run-1' } });
  });

  it('is held to a training that is not sick', async () => {
    const request = await bench.candidate('run-1', 1);
    const steps = Array.from({ length: 40 }, (_, index) => ({
      step: index + 1,
      response_length: index < 20 ? 60 : 20,
      non_finite: index === 3 ? ['loss'] : [],
    }));
    const decision = await bench.gate({ ...request, candidate: await publishGrpo(bench.store, 'sick', steps) });
    expect(decision.passed).toBe(false);
    expect(decision.reasons).toContain('training is sick');
  });
});

describe('champions of the time before versions', () => {
  const old = (champion: Champion) => {
    const { version: _version, base: _base, reference: _reference, ...rest } = champion;
    return { ...rest, schema: 1 };
  };

  it('are the first versions, and are left as they are', async () => {
    await bench.gate(await bench.candidate('run-1', 6));
    await bench.gate(await bench.candidate('run-2', 3));
    const [one, two] = (await bench.champions()).map(old);
    const [history, current] = [`${JSON.stringify(one).slice(0, 40)}\n${JSON.stringify(one)}\n`, JSON.stringify(two)];
    await rm(bench.folder, { recursive: true });
    await writeFile(`${bench.folder}.history.jsonl`, history);
    await writeFile(`${bench.folder}.json`, current);
    expect(await bench.gate(await bench.candidate('run-3', 0.4))).toMatchObject({ passed: true, champion: 'run-2' });
    expect((await readdir(bench.folder)).toSorted()).toEqual(['000003', '000003.json']);
    expect(await bench.champions()).toMatchObject([
      { run: 'run-1', version: 1, base: null },
      { run: 'run-2', version: 2, base: 1, reference: { run: 'run-2' } },
      { run: 'run-3', version: 3, base: 2 },
    ]);
    expect(await readFile(`${bench.folder}.json`, 'utf8')).toBe(current);
  });

  it('that cannot be read are an error that names the file', async () => {
    await mkdir(join(bench.store.root, 'champions'), { recursive: true });
    await writeFile(`${bench.folder}.json`, '{"schema": 2}');
    const error = await rejection(bench.gate(await bench.candidate('run-1', 1)));
    expect(error).toMatchObject({ type: 'DataInvalid' });
    expect(String(error)).toContain(`champion file "${bench.folder}.json"`);
  });
});

describe('a champion that cannot be read', () => {
  it.each([
    ['half a file', '{"schema": 2, "run"'],
    ['nothing', ''],
    ['another schema', '{"schema": 1}'],
  ])('as %s is an error that names the file, never a first champion', async (_name, text) => {
    const request = await bench.candidate('run-1', 1);
    await bench.gate(request);
    const path = versionPath(bench.folder, 1);
    await chmod(path, 0o600);
    await writeFile(path, text);
    const error = await rejection(bench.gate({ ...request, plan: bench.plan('run-2') }));
    expect(error).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
    expect(String(error)).toContain(`champion file "${path}"`);
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('under the number of another version is one too', async () => {
    await bench.gate(await bench.candidate('run-1', 1));
    await writeFile(versionPath(bench.folder, 4), await readFile(versionPath(bench.folder, 1)));
    const error = await rejection(bench.gate(await bench.candidate('run-2', 0.4)));
    expect(String(error)).toContain('000004.json": expected a champion\'s record, got version 1 after none');
  });

  it.each([['changed'], ['gone']])('because its evaluation is %s is an error that names both', async (what) => {
    await benchOfItsOwn();
    const first = await bench.candidate('run-1', 3);
    await bench.gate(first);
    const path = versionPath(bench.folder, 1);
    const champion = await readFile(path, 'utf8');
    if (what === 'changed') await appendFile(join(first.evaluation.path, 'items.jsonl'), '\n');
    else {
      await chmod(path, 0o600);
      await writeFile(path, champion.replaceAll(first.evaluation.path, '/nowhere'));
    }
    const error = await rejection(bench.gate(await bench.candidate('run-2', 0.4)));
    expect(error).toMatchObject({ type: 'DataInvalid' });
    expect(String(error)).toContain(path);
    expect(String(error)).toContain(what === 'changed' ? first.evaluation.path : '/nowhere');
  });
});
