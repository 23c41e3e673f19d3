/** Recipes: what is refused names the field, the value and what was expected. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkRecipe } from '../../domain/recipe.ts';

function demo(): Record<string, unknown> & { synthesis: Record<string, unknown> } {
  return parse(readFileSync(new URL('../../recipes/demo.yaml', import.meta.url), 'utf8'));
}

describe('critic and teacher see the same pictures', () => {
  it.each([
    ['compact-v1', 'teacher-v1'],
    ['paper-v1', undefined],
    ['paper-edited-v1', 'teacher-edited-v1'],
  ])('%s with %s', (prompt, teacher) => {
    const recipe = demo();
    expect(checkRecipe({ ...recipe, prompt, synthesis: { ...recipe.synthesis, prompt: teacher } })).toHaveProperty(
      'recipe',
    );
  });

  it.each([
    [
      'compact-edited-v1',
      'teacher-v1',
      'recipe.synthesis.prompt: expected "teacher-edited-v1", since the critic is asked with "compact-edited-v1": both see the same pictures, got "teacher-v1"',
    ],
    [
      'paper-v1',
      'teacher-edited-v1',
      'recipe.synthesis.prompt: expected "teacher-v1", since the critic is asked with "paper-v1": both see the same pictures, got "teacher-edited-v1"',
    ],
  ])('%s with %s is refused', (prompt, teacher, fault) => {
    const recipe = demo();
    expect(checkRecipe({ ...recipe, prompt, synthesis: { ...recipe.synthesis, prompt: teacher } })).toEqual({
      faults: [fault],
    });
  });
});

describe('the way the teacher is asked', () => {
  const recipe = demo();
  const withSynthesis = (more: Record<string, unknown>) =>
    checkRecipe({ ...recipe, synthesis: { ...recipe.synthesis, ...more } });

  it('is chat unless the recipe says batch, with limits that OpenAI takes', () => {
    expect(withSynthesis({})).toHaveProperty('recipe.synthesis.api', 'chat');
    expect(withSynthesis({ api: 'batch' })).toHaveProperty('recipe.synthesis.batch', {
      queued_tokens: 1_350_000,
      requests_per_batch: 50_000,
      shard_bytes: 190_000_000,
      poll_seconds: 60,
      completion_window: '24h',
    });
  });

  it.each([
    [{ requests_per_batch: 50_001 }, 'recipe.synthesis.batch.requests_per_batch: '],
    [{ shard_bytes: 200_000_001 }, 'recipe.synthesis.batch.shard_bytes: '],
    [{ completion_window: '1h' }, 'recipe.synthesis.batch.completion_window: '],
  ])('refuses %o', (batch, fault) => {
    expect(withSynthesis({ api: 'batch', batch })).toEqual({ faults: [expect.stringContaining(fault)] });
  });
});
