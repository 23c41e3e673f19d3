/** `critic artifacts` and `critic champion`, through the activities that answer them, on a store of this test. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  artifactsView,
  artifactView,
  pinView,
  unpinnedView,
  verifiedView,
} from '../../cli/commands/artifacts/artifacts.ts';
import { championsView, championView, promotedView, promoteByHand } from '../../cli/commands/champion/champion.ts';
import type { Stage } from '../../domain/names.ts';
import { artifactKey } from '../../activities/store/artifact-store.ts';
import { readPins } from '../../activities/store/pins.ts';
import { type AskedStore, askedStore } from './asked-store.ts';
import { critic, onTerminal } from './fakes.ts';

const run = 'demo-20261128-190000';
const env = { CRITIC_TEMPORAL_ADDRESS: 'fake:7233', USER: 'ada' };
let at: AskedStore;
beforeEach(async () => {
  at = await askedStore();
});
const typed = (...argv: string[]) => critic(argv, at.server, { env });
const json = async (...argv: string[]): Promise<unknown> => JSON.parse((await typed(...argv, '--json')).out);

/** Publishes an artifact with these files. */
async function publish(
  stage: Stage,
  ingredients: Record<string, unknown>,
  files: Record<string, string> = { a: 'text' },
) {
  const from = join(at.store.root, 'partial', `${stage}-${Math.random()}`);
  await mkdir(from, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(from, name), text);
  const key = artifactKey(stage, ingredients);
  const given = { counts: { rows: 3 }, cost: { usd: 0.5 }, run, attempts: [`critic-${run}-${stage}-a1`] };
  return at.store.publish({ stage, key, ingredients, from, ...given });
}

describe('artifacts', () => {
  it('are listed newest first with sizes, and fit 80 columns', async () => {
    const old = await publish('mix', { n: 1 });
    await publish('grpo', { n: 2 }, { model: 'x'.repeat(2048), 'a.json': '{}' });
    const value = artifactsView.schema.parse(await json('artifacts', 'ls'));
    expect(value).toMatchObject({ count: 2, bytes: 2054 });
    expect(value.artifacts.map(({ stage }) => stage).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['grpo', 'mix']);
    const { out } = await typed('artifacts', 'ls', '--stage', 'mix');
    expect(out).toContain(old.key.slice(0, 12));
    expect(out).not.toContain('grpo');
    for (const line of (await typed('artifacts', 'ls')).out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect((await typed('artifacts', 'ls', '--run', 'other')).out).toBe('no artifacts\n');
    expect((await typed('artifacts', 'ls', '--limit', '1')).out).toContain(
      '2 artifacts, 2.0 KiB; the newest 1 are shown',
    );
  });

  it('are shown by the first digits of a key, with what made them', async () => {
    const { key, path } = await publish('mix', { n: 1 });
    const { out } = await typed('artifacts', 'show', key.slice(0, 8));
    expect(out).toContain(`mix/${key}\n  folder   ${path}\n  made by  run ${run}, `);
    expect(out).toContain('counts   rows 3\n  cost     usd 0.5');
    const value = artifactView.schema.parse(await json('artifacts', 'show', key));
    expect(value).toMatchObject({ ingredients: { n: 1 }, pin: null, files: 1 });
    expect((await typed('artifacts', 'show', 'ffffff')).err).toContain('got none that begin with "ffffff"');
    expect((await typed('artifacts', 'show', '../..')).err).toContain(
      'expected a key, or 6 or more of its 32 hex digits',
    );
  });

  it('are verified to the last byte, and a damaged one is left where it is', async () => {
    const good = await publish('mix', { n: 1 });
    const bad = await publish('sft', { n: 1 }, { model: 'weights' });
    await writeFile(join(bad.path, 'model'), 'weighty');
    const { code, out } = await typed('artifacts', 'verify', good.key, bad.key);
    expect(code).toBe(1);
    expect(out).toBe(`mix/${good.key}: whole, 1 file, 4 B\nsft/${bad.key}: DAMAGED: model has another content\n`);
    expect(verifiedView.schema.parse(await json('artifacts', 'verify', bad.key))).toMatchObject([
      { fault: 'model has another content' },
    ]);
    expect(await readdir(join(at.store.root, 'artifacts/sft'))).toEqual([bad.key]);
    expect((await typed('artifacts', 'verify', good.key)).code).toBe(0);
  });

  it('are pinned with a name and a reason, twice without harm, and let go', async () => {
    const { key } = await publish('mix', { n: 1 });
    const pinned = pinView.schema.parse(await json('artifacts', 'pin', key.slice(0, 6), '--reason', 'the paper'));
    expect(pinned).toMatchObject({ stage: 'mix', key, by: 'ada', reason: 'the paper' });
    await typed('artifacts', 'pin', key, '--reason', 'still the paper', '--by', 'bob');
    expect([...(await readPins(at.store.root))]).toMatchObject([[key, { by: 'bob' }]]);
    expect((await typed('artifacts', 'ls')).out).toContain('mix (pinned)');
    expect((await typed('artifacts', 'show', key)).out).toContain('still the paper');
    expect(unpinnedView.schema.parse(await json('artifacts', 'unpin', key.slice(0, 6)))).toEqual({ key });
    expect(await readPins(at.store.root)).toEqual(new Map());
    expect((await typed('artifacts', 'unpin', key)).err).toContain('expected that of one pinned artifact, got none');
    expect((await typed('artifacts', 'pin', key)).err).toContain("required option '--reason <text>' not specified");
  });

  it('stay pinned where the words of a pin cannot be read', async () => {
    const { key } = await publish('mix', { n: 1 });
    await mkdir(join(at.store.root, 'pins'), { recursive: true });
    await writeFile(join(at.store.root, `pins/${key}.json`), '{"half');
    expect((await readPins(at.store.root)).has(key)).toBe(true);
    expect((await typed('artifacts', 'ls')).out).toContain('mix (pinned)');
  });
});

it('a person without USER is named by the machine', async () => {
  const { key } = await publish('mix', { n: 1 });
  const argv = ['artifacts', 'pin', key, '--reason', 'the paper'];
  const { code, out } = await critic(argv, at.server, { env: { CRITIC_TEMPORAL_ADDRESS: 'fake:7233' } });
  expect({ code, out }).toEqual({ code: 0, out: `mix/${key}: pinned by ${userInfo().username}: the paper\n` });
});

describe('champion', () => {
  /** A run whose critic is trained and measured. */
  async function measured(id: string, n: number | null) {
    const model = await publish('grpo', { n });
    const predictions = await publish('predict-grpo', { model: model.key });
    const models = {
      grpo: { main_score: { value: n === null ? null : n / 10, interval: n === null ? null : [0, 1] } },
    };
    const metrics = {
      schema: 1,
      split: 'test',
      pairs: 1,
      reward: { shape: 'l1', format_weight: 1, floor: 0 },
      sampled_temperature: 1,
      resampling: { unit: 'pair', units: 1, resamples: 10, seed: 1 },
      models,
      differences: {},
      sameness: {},
      findings: [],
    };
    const text = { 'metrics.json': JSON.stringify(metrics), 'items.jsonl': '' };
    const evaluation = await publish('evaluation', { predictions: [predictions.key] }, text);
    const artifacts = { grpo: model.path, evaluation: evaluation.path, 'predict-grpo': predictions.path };
    at.knows(id, { status: 'COMPLETED', artifacts });
    return { model, predictions, evaluation };
  }
  const promote = (id: string, ...more: string[]) =>
    typed('champion', 'promote', 'demo', id, '--reason', 'by hand', ...more);

  it('is made by hand and rolled back, each time as one more version that says who and why', async () => {
    await measured('one', 3);
    await measured('two', 4);
    expect((await promote('one')).out).toBe('champion demo is version 1 now: run one\n');
    const second = promotedView.schema.parse(await json('champion', 'promote', 'demo', 'two', '--reason', 'better'));
    expect(second).toMatchObject({ outcome: 'promoted', champion: { version: 2, reference: 1, mainScore: 0.4 } });
    const back = await typed('champion', 'rollback', 'demo', '--to', '1', '--reason', 'it fails on portraits');
    expect(back.out).toBe('champion demo is version 3 now: run one\n');
    const history = championsView.schema.parse(await json('champion', 'history', 'demo'));
    expect(history.map(({ version, run: of, by, reasons }) => [version, of, by, reasons[0]])).toEqual([
      [3, 'one', 'ada', 'it fails on portraits'],
      [2, 'two', 'ada', 'better'],
      [1, 'one', 'ada', 'by hand'],
    ]);
    expect(championView.schema.parse(await json('champion', 'show', 'demo'))).toMatchObject({ version: 3, run: 'one' });
    expect((await typed('champion', 'show', 'demo')).out).toContain('by ada');
    for (const argv of [['show'], ['history', 'demo']]) {
      const shown = await onTerminal(['champion', ...argv], at.server, 80);
      for (const line of shown.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    }
    // How and why each version became champion, newest first.
    const whys = (await typed('champion', 'history', 'demo')).out.split('\n').filter((line) => line.startsWith('  '));
    expect(whys).toEqual([
      expect.stringMatching(/^ {2}rolled back to version 1 by \S+: it fails on portraits$/),
      expect.stringMatching(/^ {2}promoted by \S+, not by the gate: better$/),
      expect.stringMatching(/^ {2}promoted by \S+, not by the gate: by hand$/),
    ]);
    // Nothing of what was there has changed.
    const folder = join(at.store.root, 'champions/demo');
    expect(await readdir(folder)).toEqual(['000001.json', '000002.json', '000003.json']);
    expect(JSON.parse(await readFile(join(folder, '000002.json'), 'utf8'))).toMatchObject({ run: 'two' });
  });

  it.each(['model', 'evaluation'] as const)('is not rolled back to one whose %s was removed', async (what) => {
    const first = await measured('one', 3);
    await measured('two', 4);
    await promote('one');
    await promote('two');
    await rm(first[what].path, { recursive: true });
    const back = await typed('champion', 'rollback', 'demo', '--to', '1', '--reason', 'r');
    expect(back.err).toContain('version: expected one whose model and evaluation are still in the store, got 1');
    expect(await readdir(join(at.store.root, 'champions/demo'))).toEqual(['000001.json', '000002.json']);
  });

  it('is not made over one that somebody else made meanwhile', async () => {
    await measured('one', 3);
    await measured('two', 4);
    await promote('one');
    const { code, out } = await promote('two', '--expect', '0');
    expect(code).toBe(1);
    expect(out).toBe('nothing was done: version 1, run one, became champion meanwhile\n');
    expect(await readdir(join(at.store.root, 'champions/demo'))).toHaveLength(1);
  });

  it('blames the worker, not the run, where none says what the run has made', async () => {
    at.knows('silent', { silent: true });
    const { code, err } = await promote('silent');
    expect(code).toBe(1);
    expect(err).toMatch(/^critic: run silent: no worker has said what it has made/);
  });

  it('without a MainScore is promoted with a warning, and history has the whole year', async () => {
    await measured('one', 3);
    await measured('same', null);
    expect((await promote('one')).err).toBe('');
    const { code, out, err } = await promote('same');
    expect({ code, out }).toEqual({ code: 0, out: 'champion demo is version 2 now: run same\n' });
    expect(err).toMatch(/^warning: the MainScore of this critic could not be computed: .*\n$/);
    const year = new Date().getUTCFullYear();
    expect((await typed('champion', 'history', 'demo')).out).toMatch(new RegExp(`^demo +2 +${year}-`, 'm'));
  });

  it('has one new version, however many promote at once', async () => {
    const { model, evaluation, predictions } = await measured('one', 3);
    const what = { critic: { run: 'one', grpo: model.key, evaluation: evaluation.key, predictions: predictions.key } };
    const both = [1, 2, 3].map((n) =>
      promoteByHand(at.server.client, { name: 'demo', what, by: `p${n}`, reason: 'r', expect: 0 }),
    );
    const outcomes = (await Promise.all(both)).map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === 'promoted')).toHaveLength(1);
    expect(await readdir(join(at.store.root, 'champions/demo'))).toEqual(['000001.json']);
  });

  it('is the same promotion if the answer was lost and it is asked again', async () => {
    const { model, evaluation, predictions } = await measured('one', 3);
    const critics = { run: 'one', grpo: model.key, evaluation: evaluation.key, predictions: predictions.key };
    const input = { name: 'demo', what: { critic: critics }, expected: 0, by: 'p', reason: 'r', request: 'request-1' };
    const ask = () =>
      at.server.client.workflow
        .getHandle('critic-caretaker')
        .executeUpdate('inquire', { args: [{ name: 'champion-promote', input }] });
    await ask();
    expect(await ask()).toMatchObject({ outcome: 'promoted', champion: { version: 1 } });
    expect(await readdir(join(at.store.root, 'champions/demo'))).toEqual(['000001.json']);
  });

  it('is refused for what does not belong together, is not measured, or is not there', async () => {
    const one = await measured('one', 3);
    const two = await measured('two', 4);
    const artifacts = { grpo: one.model.path, evaluation: two.evaluation.path, 'predict-grpo': one.predictions.path };
    at.knows('mixed', { artifacts });
    expect((await promote('mixed')).err).toContain('expected one of the answers of model');
    at.knows('unfinished');
    expect((await promote('nobody')).err).toContain('run "nobody": expected the id of a run');
    expect((await promote('unfinished')).err).toContain('expected one whose critic is trained and measured');
    expect((await typed('champion', 'rollback', 'demo', '--to', '4', '--reason', 'r')).err).toContain(
      'version: expected one of none, got 4',
    );
    expect((await typed('champion', 'show', 'demo')).err).toContain('expected one, but there is none yet');
    expect((await typed('champion', 'show')).out).toBe('no champions\n');
  });
});
