/** What a person names as pairs, in all forms: no row is dropped, and each fault names the row, the column and what was expected. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { namedRows } from '../../../activities/scoring/rows.ts';
import { type PairMapping, plainMapping } from '../../../domain/scoring/mapping.ts';
import type { PairSource, ScoringOrder } from '../../../domain/scoring/scoring.ts';
import { rejection, temporaryFolder } from '../fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

async function rowsOf(pairs: PairSource, more: Partial<ScoringOrder> = {}) {
  return namedRows({ schema: 1, id: 's', purpose: 'score', critic: { champion: 'c' }, pairs, ...more });
}
const table = (name: string): PairSource => ({ kind: 'table', path: join(folder, name) });
const faultsOf = (rows: Awaited<ReturnType<typeof rowsOf>>) =>
  rows.map((row) => ('fault' in row ? `${row.where}: ${row.fault}` : row.pair.id));

describe('a table', () => {
  it('is CSV with quotes, line breaks and any order of columns; paths go out from its folder', async () => {
    await write({
      'p.csv': '\uFEFFid,instruction,edited,source\r\na,"make it ""blue"",\nplease",e/1.png,/s/1.png\r\n',
    });
    expect(await rowsOf(table('p.csv'))).toEqual([
      {
        where: 'line 3',
        pair: {
          id: 'a',
          instruction: 'make it "blue",\nplease',
          edited: join(folder, 'e/1.png'),
          source: '/s/1.png',
          opinions: {},
        },
      },
    ]);
  });

  it('is TSV or JSON Lines too; a row without an id is called after its line', async () => {
    await write({
      'p.tsv': 'source\tedited\tinstruction\ns.png\te.png\t"red\n',
      'p.jsonl':
        '{"source_image":"s.png","edited_image":"e.png","instruction":"red"}\n\n{"id":7,"source":"s","edited":"e","instruction":"x"}\n',
    });
    await expect(rowsOf(table('p.tsv'))).rejects.toMatchObject({ type: 'DataInvalid' });
    expect(faultsOf(await rowsOf(table('p.jsonl')))).toEqual(['1', '7']);
  });

  it('keeps each row that is none, with what is wrong', async () => {
    await write({
      'p.csv': 'id,source,edited,instruction\na,s,e,\nb,,e,red\nc,s\nd,s,e,red\n',
      'p.jsonl': 'no\n[1]\n{"source":"s","edited":{},"instruction":"\\ud800"}\n',
    });
    expect(faultsOf(await rowsOf(table('p.csv')))).toEqual([
      'line 2: instruction: expected a text, got nothing',
      'line 3: source or source_image: expected a text, got nothing',
      'line 4: expected 4 columns, as the first line has, got 2',
      'd',
    ]);
    expect(faultsOf(await rowsOf(table('p.jsonl')))).toEqual([
      'line 1: expected a JSON object, got no',
      expect.stringMatching(/^line 2: source or source_image: .*/),
      expect.stringMatching(
        /^line 3: edited or edited_image: expected a text, got nothing; instruction: expected a text with something to see/,
      ),
    ]);
  });

  it('takes columns, scale and direction from a mapping, and only the rows that it wants', async () => {
    await write({
      'p.jsonl':
        '{"b":"s","a":"e","p":"x","v":{"s":25},"k":"test"}\n{"b":"s","a":"e","p":"x","v":{"s":101},"k":"test"}\n{"k":"train"}\n',
    });
    const mapping: PairMapping = {
      columns: { source: 'b', edited: 'a', instruction: 'p', mos: 'v.s' },
      scale: { from: 0, to: 100 },
      direction: 'lower-is-better',
      only: { column: 'k', value: 'test' },
    };
    const rows = await rowsOf(table('p.jsonl'), { mapping });
    expect(rows[0]).toMatchObject({ pair: { opinions: { mos: 4 } } });
    expect(faultsOf(rows)).toEqual(['1', 'line 2: v.s: expected 0 to 100, got "101"']);
  });

  it('keeps of a faulty row what can be read, but no numbers of a row whose columns have slipped', async () => {
    await write({
      'p.csv': [
        'id,source,edited,instruction,mos,method',
        'a,s.png,e.png,,4,m',
        'b,,e.png,red,3,',
        'c,s.png,e.png,red,9,',
        'd,s.png,e.png,red, and blue,5,m',
        'e,s.png',
      ].join('\n'),
    });
    const rows = await rowsOf(table('p.csv'));
    const [source, edited] = [join(folder, 's.png'), join(folder, 'e.png')];
    expect(rows.map((row) => ('fault' in row ? [row.id, row.said] : row))).toEqual([
      ['a', { source, edited, opinions: { mos: 4 }, method: 'm' }],
      ['b', { edited, instruction: 'red', opinions: { mos: 3 } }],
      ['c', { source, edited, instruction: 'red', opinions: {} }],
      ['d', { source, edited, instruction: 'red', method: '5' }],
      ['e', { source }],
    ]);
  });

  it('of a mapping stays below the dataset’s folder, whoever sent the order', async () => {
    await write({ 'd/pairs.csv': 'source,edited,instruction\ns,e,red\n', 'pairs.csv': 'source\n' });
    const pairs: PairSource = { kind: 'folder', path: join(folder, 'd') };
    for (const wrong of [{ table: '../pairs.csv' }, { images: '/etc' }, { images: 'a/../../b' }]) {
      const failure = await rejection(rowsOf(pairs, { mapping: { ...plainMapping, ...wrong } }));
      expect(failure).toMatchObject({
        type: 'ConfigInvalid',
        message: expect.stringMatching(/mapping\.(table|images): expected a path below the dataset’s folder/),
      });
    }
    const [row] = await rowsOf(table('d/pairs.csv'), { mapping: { ...plainMapping, images: 'p' } });
    expect(row).toMatchObject({ pair: { source: join(folder, 'd/p/s') } });
  });

  it('needs people’s opinion of each pair where agreement is asked for', async () => {
    await write({ 'pairs.csv': 'source,edited,instruction,mos\ns,e,red,4\ns,e,red,\n' });
    const rows = await rowsOf({ kind: 'folder', path: folder }, { purpose: 'evaluate' });
    expect(faultsOf(rows)).toEqual(['2', "line 3: mos or mos.overall: expected people's opinion, got nothing"]);
  });

  it.each([
    ['no such file', {}, 'p.csv', 'expected a file that the worker can read'],
    ['an empty file', { 'p.csv': '' }, 'p.csv', 'expected at least one'],
    ['a quote that never ends', { 'p.csv': 'source,edited\n"s,e\n' }, 'p.csv', 'to be a table, got one that is not'],
    ['bytes that are no text', { 'p.csv': 'source\n\uD800' }, '.', 'expected a regular file'],
  ])('is refused where it is %s', async (_what, files, name, sentence) => {
    await write(files);
    expect(await rejection(rowsOf(table(name)))).toMatchObject({
      type: 'DataInvalid',
      message: expect.stringContaining(sentence),
    });
  });
});

describe('a folder without a table', () => {
  it('pairs source/ and edited/ by name, with a text beside the edit or one for all', async () => {
    await write({
      'source/a.jpg': '',
      'source/b.png': '',
      'edited/a.png': '',
      'edited/a.txt': 'red\n',
      'edited/b.png': '',
      'edited/c.png': '',
      'edited/readme.md': '',
    });
    expect(faultsOf(await rowsOf({ kind: 'folder', path: folder }))).toEqual([
      'a',
      'edited/b.png: expected an instruction in "edited/b.txt", or one for all, got nothing',
      'edited/c.png: expected a picture "source/c.*", got none',
    ]);
    const rows = await rowsOf({ kind: 'folder', path: folder, instruction: 'blue' });
    expect(rows.map((row) => ('pair' in row ? row.pair.instruction : null))).toEqual(['red', 'blue', null]);
    expect(rows[0]).toMatchObject({ pair: { source: join(folder, 'source/a.jpg') } });
  });

  it('goes on with the others where a text is a link to nothing', async () => {
    await write({
      'source/a.png': '',
      'source/b.png': '',
      'edited/a.png': '',
      'edited/b.png': '',
      'edited/a.txt': 'red',
    });
    await symlink('/nowhere', join(folder, 'edited/b.txt'));
    expect(faultsOf(await rowsOf({ kind: 'folder', path: folder }))).toEqual([
      'a',
      'edited/b.png: expected an instruction in "edited/b.txt", or one for all, got nothing',
    ]);
  });

  it('says what a folder lacks', async () => {
    const wrong = rowsOf({ kind: 'folder', path: folder }, { mapping: plainMapping });
    expect(await rejection(wrong)).toMatchObject({ type: 'DataInvalid', message: expect.stringContaining('"source"') });
    const none = rowsOf({ kind: 'folder', path: join(folder, 'no') });
    expect(await rejection(none)).toMatchObject({
      type: 'DataInvalid',
      message: expect.stringContaining('which does not exist'),
    });
  });
});
