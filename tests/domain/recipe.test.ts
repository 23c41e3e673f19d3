/** Recipes: what is refused names the field, the value and what was expected. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { mixShares } from '../../domain/recipe/arms.ts';
import { checkRecipe } from '../../domain/recipe.ts';

function demo(): Record<string, unknown> & { synthesis: Record<string, unknown>; sft: Record<string, unknown> } {
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

describe('arms', () => {
  const given = (changes: object) => checkRecipe({ ...demo(), ...changes });

  it('leave the prompt of the teacher to that of the critic', () => {
    const { prompt: _prompt, ...synthesis } = demo().synthesis;
    expect(given({ prompt: 'compact-edited-v1', synthesis })).toMatchObject({
      recipe: { synthesis: { prompt: 'teacher-edited-v1' } },
    });
    expect(given({ synthesis })).toMatchObject({ recipe: { synthesis: { prompt: 'teacher-v1' } } });
  });

  it.each<[object, object]>([
    [{ sft: 'none' }, { cot: 1, direct: 1 }],
    [{ synthesis: 'none' }, { cot: 0, direct: 1 }],
    [{ synthesis: 'human' }, { cot: 1, direct: 1 }],
    [{ mix: { cot: 0, direct: 1 } }, { cot: 0, direct: 1 }],
    [{ mix: { cot: 0.5 } }, { cot: 0.5, direct: 0.5 }],
    [{ mix: { direct_per_reasoning: 0 } }, { cot: 1, direct: 0 }],
    [{ mix: { direct: 2 } }, { cot: 1, direct: 2 }],
  ])('%j', (changes, shares) => {
    const checked = given(changes);
    expect('recipe' in checked ? mixShares(checked.recipe) : checked).toEqual(shares);
  });

  it.each<[object, string]>([
    [{ sft: 'off' }, 'recipe.sft: expected none or a mapping, got "off"'],
    [{ sft: null }, 'recipe.sft: expected none or a mapping, got null'],
    [{ synthesis: [] }, 'recipe.synthesis: expected none, human or a mapping, got []'],
    [
      { synthesis: 'none', mix: { cot: 1 } },
      'recipe.mix.cot: expected 0, since synthesis is none: there is no critique to learn from, got 1',
    ],
    [
      { mix: { cot: 0 } },
      'recipe.mix.direct: expected above 0, since cot is 0: SFT would learn from no record, got nothing',
    ],
    [
      { synthesis: 'none', mix: { direct: 0 } },
      'recipe.mix.direct: expected above 0, since cot is 0: SFT would learn from no record, got 0',
    ],
    [
      { mix: { direct: 1, direct_per_reasoning: 1 } },
      'recipe.mix.direct_per_reasoning: expected no such key beside direct, which says the same, got 1',
    ],
    [{ mix: { cot: 2 } }, 'recipe.mix.cot: expected number to be <=1, got 2'],
  ])('%j is refused', (changes, fault) => {
    expect(given(changes)).toEqual({ faults: [fault] });
  });

  it('have the faults of a mapping told field by field', () => {
    const { epochs: _epochs, ...sft } = demo().sft;
    expect(given({ sft: { ...sft, batch_size: 0, bach: 1 } })).toEqual({
      faults: [
        'recipe.sft.batch_size: expected number to be >0, got 0',
        'recipe.sft.epochs: expected number, got nothing',
        'recipe.sft.bach: unknown key',
      ],
    });
  });
});
