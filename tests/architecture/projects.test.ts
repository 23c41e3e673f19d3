/** A test that no project of vitest.config.ts includes is never run, and nobody would notice. */
import { globSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import config from '../../vitest.config.ts';

const project = z.object({ test: z.object({ include: z.array(z.string()) }) });
const { test } = z.object({ test: z.object({ projects: z.array(project) }) }).parse(config);
const included = test.projects.flatMap((one) => one.test.include);

describe('a file of tests', () => {
  it('is in one project, whatever its folder', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const files = globSync(['tests/**/*.test.ts', 'packages/*/tests/**/*.test.ts'], { cwd: root });
    expect(files.length).toBeGreaterThan(100);
    const astray = files.filter((file) => included.filter((pattern) => matchesGlob(file, pattern)).length !== 1);
    expect(astray).toEqual([]);
  });
});
