/** Preflight: what the engines' parsers say is refused before anything is paid for. The parsers themselves are asked in trainer/tests. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createImportActivities } from '../../../activities/store/imports.ts';
import type { SftSettings } from '../../../domain/recipe.ts';
import { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { activityEnvironment, inActivity, makePlan, rejection, temporaryFolder } from '../fixtures.ts';
import { trainerSource, writeModel } from '../store/model-fixtures.ts';

const versions = JSON.stringify({ schema: 1, engines: { llamafactory: {}, trl: {}, transformers: {} } });
let folder: string;
let asked: string;
let model: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  model = await writeModel();
  asked = join(folder, 'asked.json');
});

/** An interpreter that knows its versions, keeps what it is asked to check, and answers that with a command of the shell. */
async function interpreter(check: string): Promise<string> {
  const path = join(folder, 'python');
  const text = `#!/bin/sh\nif [ "$4" = check ]; then cat > ${asked}; ${check}; else echo '${versions}'; fi\n`;
  await writeFile(path, text, { mode: 0o755 });
  return path;
}

let runs = 0;
/** `id`: of the run. Without one it is another each time. */
async function prepare(check: string, llamafactory: SftSettings['llamafactory'], engineFile?: string, id?: string) {
  const python = await interpreter(check);
  runs += 1;
  const plan = makePlan('/data', {}, id ?? `test-20261124-03000${runs}`);
  const recipe = { ...plan.recipe, base_model: model, sft: { ...plan.recipe.sft, llamafactory } };
  const activities = createImportActivities({
    store: new ArtifactStore(join(folder, 'store')),
    models: { roots: [], caches: [] },
    job: { python, engineFile, trainerSource },
  });
  return inActivity(activityEnvironment().env, () => activities.prepareRun({ plan: { ...plan, recipe } }));
}

describe('before a run, which asks nobody and submits nothing until it is prepared', () => {
  const wrong =
    '{"schema":1,"faults":[{"field":"sft.llamafactory.weight_decay","value":"much","expected":"a number"}]}';

  it('a wrong type in sft.llamafactory is refused by field, value and expectation', async () => {
    expect(await rejection(prepare(`echo '${wrong}'`, { weight_decay: 'much' }))).toMatchObject({
      type: 'RecipeInvalid',
      nonRetryable: true,
      message: expect.stringContaining('recipe.sft.llamafactory.weight_decay: expected a number, got "much"'),
    });
    const { attempts } = JSON.parse(await readFile(asked, 'utf8'));
    expect(attempts).toHaveLength(5);
    expect(attempts[0]).toMatchObject({ attempt: { kind: 'sft', params: { llamafactory: { weight_decay: 'much' } } } });
  });

  it('settings without a fault are let through', async () => {
    const prepared = await prepare(`echo '{"schema":1,"faults":[]}'`, { weight_decay: 0.1 });
    expect(prepared.engines).toHaveProperty('trl');
    await readFile(asked);
  });

  it('the parsers are not loaded for a recipe that passes nothing on, nor where only nodes have them', async () => {
    await prepare('exit 70', {});
    const engineFile = join(folder, 'engines.json');
    await writeFile(engineFile, versions);
    await prepare('exit 70', { weight_decay: 0.1 }, engineFile);
    await expect(readFile(asked)).rejects.toThrow('ENOENT');
  });

  it('the same one is prepared again after a kill or a reset, and never over another one’s plan', async () => {
    const again = (llamafactory: SftSettings['llamafactory']) =>
      prepare(`echo '{"schema":1,"faults":[]}'`, llamafactory, undefined, 'test-20261124-040000');
    const first = await again({ weight_decay: 0.1 });
    expect(await again({ weight_decay: 0.1 })).toEqual(first);
    expect(await rejection(again({ weight_decay: 0.2 }))).toMatchObject({
      type: 'ConfigInvalid',
      message: expect.stringContaining('id: expected one that no run or scoring has had, got "test-20261124-040000"'),
    });
  });

  it.each([
    [
      'cannot load its engine',
      'echo "No module named llamafactory" >&2; exit 1',
      'exit 1: No module named llamafactory',
    ],
    ['answers with something else', 'echo hello', 'got "hello'],
  ])('an interpreter that %s is refused by its name', async (_what, check, message) => {
    const error = await rejection(prepare(check, { weight_decay: 0.1 }));
    expect(error).toMatchObject({ type: 'ConfigInvalid', message: expect.stringContaining('CRITIC_PYTHON') });
    expect(error).toHaveProperty('message', expect.stringContaining(message));
  });

  it('an interpreter that was killed is asked again', async () => {
    expect(await rejection(prepare('kill -9 $$', { weight_decay: 0.1 }))).toMatchObject({
      type: 'SystemError',
      nonRetryable: false,
    });
  });
});
