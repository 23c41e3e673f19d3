import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { turnsFor } from '../../domain/keeping/turns.ts';
import { readLimits } from '../../input/limits-file.ts';

async function limits(text: string) {
  const path = join(await mkdtemp(join(tmpdir(), 'critic-limits-')), 'limits.yaml');
  await writeFile(path, text);
  return readLimits(path);
}

describe('a limits file', () => {
  it('limits the jobs of a kind, of one account or of all', async () => {
    const read = await limits(
      'limits:\n  - { kind: grpo, account: nlp, at_most: 1 }\n  - { kind: grpo, at_most: 3 }\n  - { kind: grpo, account: nlp, at_most: 2 }\n',
    );
    expect(turnsFor(read, 'grpo', 'nlp')).toEqual([
      { name: 'grpo', atMost: 3 },
      { name: 'grpo@nlp', atMost: 1 },
    ]);
    expect(turnsFor(read, 'grpo', undefined)).toEqual([{ name: 'grpo', atMost: 3 }]);
    expect(turnsFor(read, 'sft', 'nlp')).toEqual([]);
  });

  it.each([
    ['limits: [{ kind: train, at_most: 1 }]', 'limits.0.kind'],
    ['limits: [{ kind: sft, at_most: 0 }]', 'limits.0.at_most'],
    ['limits: [{ kind: sft, account: "a/b", at_most: 1 }]', 'limits.0.account'],
    ['limits: [{ kind: sft, atmost: 1 }]', 'limits.0'],
    ['[]', 'limits file'],
  ])('is refused with the field’s name: %s', async (text, field) => {
    await expect(limits(text)).rejects.toThrow(field);
  });
});
