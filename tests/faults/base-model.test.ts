/** A base model's copy on a disk that is full. */
import { execFileSync } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importBaseModel } from '../../activities/store/base-model.ts';
import { rejection, temporaryFolder } from '../activities/fixtures.ts';
import { safetensors, writeModel } from '../activities/store/model-fixtures.ts';

const nothing = { roots: [], caches: [] };

describe('a copy of a base model', () => {
  it('that a full disk cut short leaves nothing behind, and is made once there is room', async () => {
    const small = await temporaryFolder();
    const source = await writeModel({ 'model.safetensors': safetensors(Buffer.alloc(300_000, 1)) });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200k', 'none', small]);
    try {
      expect(await rejection(importBaseModel(source, small, nothing))).toMatchObject({ code: 'ENOSPC' });
      expect(await readdir(join(small, 'models'))).toEqual([]);
      execFileSync('mount', ['-o', 'remount,size=2m', small]);
      const { path } = await importBaseModel(source, small, nothing);
      expect((await stat(join(path, 'model.safetensors'))).size).toBeGreaterThan(300_000);
    } finally {
      execFileSync('umount', [small]);
    }
  });
});
