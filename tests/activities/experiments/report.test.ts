/** The report of an experiment: its numbers come from the runs' artifacts, and what has none is said. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { ExperimentReport } from '../../../activities/experiments/data.ts';
import { readJudgedItems } from '../../../activities/evaluation/evaluation-file.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Direction } from '../../../domain/experiment/experiment.ts';
import { makeStore } from '../evaluation/evaluation-fixtures.ts';
import { rejection } from '../fixtures.ts';
import {
  type Artifacts,
  findArtifacts,
  memberOf,
  publishRun,
  reportInput,
  writeExperiment,
} from './report-fixtures.ts';

// Thousands of curve fits: seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const longer: Direction = {
  says: 'b <i>agrees</i> better',
  metric: 'main_score',
  of: 'grpo',
  arm: 'b',
  is: 'higher',
  than: 'a',
};

let store: ArtifactStore;
let runs: Record<string, Artifacts>;
let written: { path: string; summary: string; page: string; report: ExperimentReport };

const both = () => [memberOf('a', 'run-a', runs['run-a']), memberOf('b', 'run-b', runs['run-b'])];

async function write(members = both()) {
  const { path, summary } = await writeExperiment(store, reportInput(members, [longer]));
  const folder = dirname(path);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- we wrote it
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as ExperimentReport;
  return { path, summary, page: await readFile(path, 'utf8'), report };
}

beforeAll(async () => {
  store = await makeStore();
  runs = { 'run-a': await publishRun(store, 'run-a', 3, 40), 'run-b': await publishRun(store, 'run-b', 0.5, 60) };
  written = await write();
});

describe('the report of an experiment', () => {
  it('compares the arms pair by pair, and judges the sentence', async () => {
    const { measures } = written.report;
    const items = await readJudgedItems(runs['run-a']?.['evaluation']?.path ?? '', 'grpo');
    expect(measures.pairs).toBe(items.length);
    const better = measures.arms[1]?.versus.grpo?.main_score;
    expect(better?.interval?.[0]).toBeGreaterThan(0);
    expect(measures.directions).toMatchObject([{ verdict: 'shown', measured: better }]);
  });

  it('has the curves of training, and what each arm has spent and taken', () => {
    const [a, b] = written.report.members;
    expect(a?.training).toHaveLength(30);
    expect(b?.training[9]).toEqual({ step: 10, length: 69, reward: 1.18 });
    expect(a?.cost).toEqual({ own: { gpuHours: 0.5, usd: 0 }, taken: { gpuHours: 0, usd: 0 } });
  });

  it('names the file of the store that each number is from', async () => {
    for (const { files } of written.report.members) {
      expect(files?.evaluation).toMatch(/^artifacts\/evaluation\/[0-9a-f]{32}\/items\.jsonl$/);
      expect(files?.metrics).toMatch(/^artifacts\/grpo\/[0-9a-f]{32}\/metrics\.jsonl$/);
      await readFile(join(store.root, files?.evaluation ?? ''));
      await readFile(join(store.root, files?.metrics ?? ''));
      expect(written.page).toContain(`href="../../${files?.evaluation}"`);
    }
  });

  it('tells a terminal the same, within 80 columns', () => {
    const { summary } = written;
    expect(summary).toMatch(/^a +\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\] +baseline +2\d\.\d +0\.500$/m);
    expect(summary).toContain('shown: b <i>agrees</i> better');
    expect(summary).toContain('One seed');
    const table = summary.split('\n').slice(2, 5);
    expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('takes no markup from what people and models wrote', () => {
    expect(written.page).not.toMatch(/<b>better|<i>agrees/);
    expect(written.page).toContain('Which is &lt;b&gt;better&lt;/b&gt;?');
    expect(written.page).not.toMatch(/(?:src|href)="https?:|<script/);
  });

  it('is the same again, but for when it was written', async () => {
    const again = await write();
    expect({ ...again.report, writtenAt: '' }).toEqual({ ...written.report, writtenAt: '' });
  });

  it('names a run without numbers first, and compares the others', async () => {
    const [a] = both();
    const fields = { status: 'failed', sentence: 'the dataset is bad', mainScore: null } as const;
    const { page, report, summary } = await write([a ?? memberOf('a', null), memberOf('b', 'run-b', {}, fields)]);
    expect(report.members[1]).toMatchObject({ missing: 'it was not evaluated' });
    expect(report.measures.directions).toMatchObject([{ verdict: 'missing', measured: null }]);
    expect(report.measures.arms[0]?.own.grpo?.main_score?.value).toBeGreaterThan(0);
    expect(page).toContain('1 of 2 runs have no numbers');
    expect(page.indexOf('the dataset is bad')).toBeLessThan(page.indexOf('What the file of the experiment says'));
    expect(summary).toContain('b, seed 1: the dataset is bad');
  });

  it('says of an arm without a MainScore why it has none, in the table, the sentence and the page', async () => {
    const [a] = both();
    const flat = await publishRun(store, 'run-flat', 1, 10, 3);
    const { page, report, summary } = await write([a ?? memberOf('a', null), memberOf('b', 'run-flat', flat)]);
    const why = `no MainScore: all its ${report.measures.pairs} answers give the score 3`;
    expect(report.measures.directions).toMatchObject([{ verdict: 'open', why: `b has ${why}` }]);
    expect(summary).toContain(`\nb has ${why}.\n`);
    expect(summary).toContain(`\n    b has ${why}\n`);
    expect(page.split(why)).toHaveLength(3);
  });

  it('leaves out a run whose evaluation was damaged, and names the file', async () => {
    const damaged = await publishRun(store, 'run-c', 1, 10);
    await writeFile(join(damaged.evaluation.path, 'items.jsonl'), '{"id": "x"}\n');
    const [a] = both();
    const { report } = await write([a ?? memberOf('a', null), memberOf('b', 'run-c', damaged)]);
    expect(report.members[1]?.missing).toMatch(/items\.jsonl: its content is not what the manifest lists/);
  });

  it('is written nowhere but in its folder', async () => {
    const input = { ...reportInput([]), id: '../x' };
    expect(String(await rejection(writeExperiment(store, input)))).toContain('expected the id of an experiment');
  });
});

describe('what a run has made', () => {
  it('is known from its view, and asked again while no worker answers', async () => {
    const stages = [{ stage: 'grpo', artifact: '/s/grpo' }, { stage: 'report' }];
    expect(await findArtifacts(store, 'known', stages)).toEqual({ grpo: '/s/grpo' });
    expect(String(await rejection(findArtifacts(store, 'gone', [])))).toContain('no worker answers for gone');
  });
});
