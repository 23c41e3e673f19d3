import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readRecipe } from '../../input/recipe-file.ts';
import { checkRecipe } from '../../domain/recipe.ts';

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

describe.each(['paper', 'paper-2-nodes', 'paper-verl', 'one-gpu'])('recipes/%s.yaml', (name) => {
  it('takes IE-Bench as it was published: without a dev split, and with sources in both train and test', () => {
    const checked = checkRecipe(parse(readFileSync(new URL(`../../recipes/${name}.yaml`, import.meta.url), 'utf8')));
    const dataset = 'recipe' in checked ? checked.recipe.dataset : checked.faults;
    expect(dataset).toMatchObject({ dev_fraction: 0.05, shared_sources: 'report' });
  });
});
