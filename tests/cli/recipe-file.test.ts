import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readRecipe } from '../../cli/recipe-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a dataset on the command line', () => {
  it('counts from where one stands, not from the recipe’s folder', async () => {
    mkdirSync(join(folder, 'pairs'));
    const demo = new URL('../../recipes/smoke.yaml', import.meta.url).pathname;
    const { base_model: base } = await readRecipe(demo, { dataset: join(folder, 'pairs') });
    const recipe = await readRecipe(demo, { dataset: relative(process.cwd(), join(folder, 'pairs')) });
    expect(recipe.dataset.path).toBe(join(folder, 'pairs'));
    expect(recipe.base_model).toBe(base);
  });
});
