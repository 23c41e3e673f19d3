/** Words that point somewhere point at something that is there. */
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { brokenLinks, missingPaths, missingSections, read, wordedFiles } from './documents.ts';

const files = wordedFiles();
const documents = files.filter((file) => file.endsWith('.md'));
/** A changelog tells of files as they were; the examples below name what is gone on purpose. */
const present = files.filter((file) => !/CHANGELOG\.md$|\/documents\.test\.ts$/.test(file));

describe('a document, or a comment,', () => {
  it('cites no file that is not there', () => {
    expect(present.flatMap((file) => missingPaths(file, read(file)).map((path) => `${file}: ${path}`))).toEqual([]);
  });

  it('links to no file and no heading that is not there', () => {
    expect(documents.flatMap((file) => brokenLinks(file, read(file)).map((link) => `${file}: ${link}`))).toEqual([]);
  });

  it('cites no section of CONTRACTS that is not there', () => {
    const contracts = read('docs/CONTRACTS.md');
    const missing = present.flatMap((file) =>
      missingSections(file, read(file), contracts).map((section) => `${file}: ${section}`),
    );
    expect(missing).toEqual([]);
  });

  it('names no npm script that is not there', () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.unknown()) })
      .parse(JSON.parse(read('package.json')));
    const named = documents.flatMap((file) =>
      [...read(file).matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map(([, name = '']) => `${file}: ${name}`),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((one) => scripts[one.split(': ')[1] ?? ''] === undefined)).toEqual([]);
  });

  it('names no variable CRITIC_… that no source reads', () => {
    const variable = /\bCRITIC_[A-Z_]*[A-Z]\b/g;
    const sources = files.filter((file) => !file.endsWith('.md') && !file.startsWith('tests/'));
    const known = new Set(sources.flatMap((file) => read(file).match(variable) ?? []));
    const named = documents.flatMap((file) => (read(file).match(variable) ?? []).map((name) => `${file}: ${name}`));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((one) => !known.has(one.split(': ')[1] ?? ''))).toEqual([]);
  });
});

describe('what these tests find', () => {
  it.each([
    ['a comment', 'domain/a.ts', '/** See gone.md §1. */', ['gone.md']],
    ['a comment at the end of a line', 'domain/a.ts', 'const x = 1; // as domain/gone.ts has it', ['domain/gone.ts']],
    ['a comment of Python', 'trainer/a.py', '# tests/golden/gone.json', ['tests/golden/gone.json']],
    ['a document', 'docs/A.md', 'It is in `workflows/gone.ts`.', ['workflows/gone.ts']],
    ['what is there', 'docs/A.md', '`domain/names.ts`, docs/LIMITS.md, LIMITS.md', []],
    ['code', 'domain/a.ts', "const x = 'domain/gone.ts';", []],
    ['patterns and other repositories', 'docs/A.md', 'domain/*.ts, `domain/<x>.ts`, verl/docs/gone.md', []],
    ['the web', 'docs/A.md', 'https://example.org/docs/gone.md', []],
  ])('%s', (_what, file, text, missing) => {
    expect(missingPaths(file, text)).toEqual(missing);
  });

  it.each([
    ['[a](GONE.md)', ['GONE.md']],
    ['[a](LIMITS.md#gone)', ['LIMITS.md#gone']],
    ['[a](LIMITS.md#limits), [b](../README.md), [c](https://example.org/x.md)', []],
    ['# Here\n\n[a](#here) [b](#gone)', ['#gone']],
  ])('links: %s', (text, broken) => {
    expect(brokenLinks('docs/LIMITS.md', text)).toEqual(broken);
  });

  it('sections', () => {
    const cited = '/** docs/CONTRACTS.md §2, §4 and docs/CONTRACTS.md §3–§5. */';
    expect(missingSections('domain/a.ts', cited, '## §2 A\n## §3 B\n## §5 C\n')).toEqual(['§4']);
  });
});
