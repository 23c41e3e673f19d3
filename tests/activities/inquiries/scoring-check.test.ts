/** Whether a scoring can begin: a critic or a file that is not there is said before anything starts, each for what it is. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { answerScoringCheck } from '../../../activities/inquiries/scoring-check.ts';
import { whyUnreachable } from '../../../activities/scoring/reachable.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import type { Inquiries } from '../../../domain/inquiries.ts';
import { makeStore } from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity, temporaryFolder } from '../fixtures.ts';

type Asked = Inquiries['scoring-check']['input'];
let store: ArtifactStore;
let folder: string;
beforeEach(async () => {
  store = await makeStore();
  folder = await temporaryFolder();
  await writeFile(join(folder, 'p.csv'), '');
  await mkdir(join(folder, 'd'));
});

async function faultsOf(more: Partial<Asked>): Promise<string[]> {
  const { env } = activityEnvironment();
  const { answer, input } = answerScoringCheck({ store });
  const asked = input.parse({
    purpose: 'score',
    critic: { champion: 'none' },
    pairs: { kind: 'table', path: join(folder, 'p.csv') },
    ...more,
  });
  const { faults } = await inActivity(env, () => answer(asked));
  // Of the critic, which is not there.
  expect(faults[0]).toBe('champion "none": expected one of "critic champion show", got none of this name');
  return faults.slice(1);
}

describe('a scoring can begin', () => {
  it.each([
    ['p.csv', []],
    ['no.csv', ['--input: expected a file that the worker can read, got "F/no.csv", which does not exist']],
    ['p.csv/x', ['--input: expected a file that the worker can read, got "F/p.csv/x", which does not exist']],
    ['d', ['--input: expected a file that the worker can read, got "F/d", a folder']],
    ['loop', ['--input: expected a file that the worker can read, got "F/loop", which no file can be called']],
  ])('with the table %s: %j', async (name, expected) => {
    await symlink(join(folder, 'loop'), join(folder, 'loop'));
    const faults = await faultsOf({ pairs: { kind: 'table', path: join(folder, name) } });
    expect(faults.map((one) => one.replaceAll(folder, 'F'))).toEqual(expected);
  });

  it('with a folder, and what the mapping names in it', async () => {
    const plain = { columns: {}, scale: { from: 1, to: 5 }, direction: 'higher-is-better' as const };
    const of = async (path: string, mapping?: object) =>
      faultsOf({
        purpose: 'evaluate',
        pairs: { kind: 'folder', path: join(folder, path) },
        ...(mapping === undefined ? {} : { mapping: { ...plain, ...mapping } }),
      });
    expect(await of('d')).toEqual([
      expect.stringMatching(/^--dataset: expected pairs.jsonl, pairs.csv, pairs.tsv or a mapping .*, which has none$/),
    ]);
    await writeFile(join(folder, 'd', 'pairs.tsv'), '');
    expect(await of('d')).toEqual([]);
    expect(await of('p.csv')).toEqual([expect.stringMatching(/^--dataset: expected a folder .*, which is no folder$/)]);
    expect(await of('no', { table: 'x' })).toEqual([expect.stringMatching(/^--dataset: .*, which does not exist$/)]);
    expect(await of('.', { table: 'd', images: 'p.csv' })).toEqual([
      expect.stringMatching(/^mapping.table: expected a file .*, a folder$/),
      expect.stringMatching(/^mapping.images: expected a folder .*, which is no folder$/),
    ]);
  });

  it('with a folder that has no table, if it has both folders of pictures', async () => {
    const pairs = { kind: 'folder' as const, path: join(folder, 'd') };
    expect(await faultsOf({ pairs })).toEqual([
      expect.stringMatching(/^--folder: .*, which has no "source" and no "edited"$/),
    ]);
    await mkdir(join(folder, 'd', 'edited'));
    expect(await faultsOf({ pairs })).toEqual([expect.stringMatching(/which has no "source"$/)]);
    await mkdir(join(folder, 'd', 'source'));
    expect(await faultsOf({ pairs })).toEqual([]);
  });

  it('with a pair of pictures, each by its option', async () => {
    const pairs = { kind: 'pair' as const, source: '/no/s.png', edited: '/no/e.png', instruction: 'red' };
    expect(await faultsOf({ pairs })).toEqual([
      expect.stringMatching(/^--source: .*"\/no\/s.png", which does not exist$/),
      expect.stringMatching(/^--edited: .*"\/no\/e.png", which does not exist$/),
    ]);
  });

  it('only by absolute paths, and a file server that is away is no fault of a path', () => {
    const { input } = answerScoringCheck({ store });
    const wrong = { purpose: 'score', critic: { champion: 'c' }, pairs: { kind: 'table', path: 'p.csv' } };
    expect(input.safeParse(wrong).error?.issues[0]).toMatchObject({ message: 'expected an absolute path' });
    const errno = (code: string) => Object.assign(new Error(code), { code });
    expect(['EACCES', 'EPERM', 'ESTALE', 'EIO'].map((code) => whyUnreachable(errno(code)))).toEqual([
      'which may not be read',
      'which may not be read',
      undefined,
      undefined,
    ]);
  });
});
