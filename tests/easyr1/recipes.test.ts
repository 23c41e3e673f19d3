/** The recipes of the published run in the hands of EasyR1's own parser, of either generation. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { jobParams } from '../../domain/plan.ts';
import { checkRecipe } from '../../domain/recipe.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const python = process.env['EASYR1_PYTHON'] ?? 'none';

/** What `critic_trainer.engines` answers about the GRPO of a recipe. `changes`: of its section grpo. */
async function asked(verb: string, name: string, changes: object = {}): Promise<unknown> {
  const raw: { grpo: object } = parse(await readFile(join(root, 'recipes', name), 'utf8'));
  const checked = checkRecipe({ ...raw, grpo: { ...raw.grpo, ...changes } });
  if (!('recipe' in checked)) throw new Error(checked.faults.join('\n'));
  const params = jobParams('grpo', checked.recipe);
  const attempt = {
    schema: 1,
    name: 'critic-paper-grpo-a1',
    run: 'paper',
    stage: 'grpo',
    attempt: 1,
    kind: 'grpo',
    model: '/nowhere/a1/model',
    inputs: { dataset: '/nowhere/dataset', prompts: '/nowhere/prompts' },
    resume_from: null,
    seed: 42,
    threads: 1,
    engine: { name: 'easyr1', versions: {} },
    planned: { steps: checked.recipe.grpo.steps, rows: null },
    params,
  };
  const base = join(root, 'models/tiny-critic');
  const request = { attempts: [{ attempt, directory: '/nowhere/a1', base_model: base, gpu: true }] };
  const running = promisify(execFile)(python, ['-P', '-m', 'critic_trainer.engines', verb], {
    cwd: root,
    env: { ...process.env, PYTHONPATH: join(root, 'trainer') },
  });
  running.child.stdin?.end(JSON.stringify(request));
  return JSON.parse((await running).stdout);
}

for (const generation of ['the current generation', "the authors' generation"]) {
  describe(`${generation}, asked for the published run`, () => {
    it.each(['paper.yaml', 'paper-2-nodes.yaml'])('takes %s', async (name) => {
      expect(await asked('check', name)).toEqual({ schema: 1, faults: [] });
      expect(await asked('render', name)).toMatchObject({ rendered: [{ file: 'easyr1.yaml' }] });
    });

    it('refuses a word that its parser lets through', async () => {
      const easyr1 = { 'worker.actor.fsdp.mp_param_dtype': 'bf17' };
      expect(await asked('check', 'paper.yaml', { easyr1 })).toMatchObject({
        faults: [{ field: 'grpo.easyr1.worker.actor.fsdp.mp_param_dtype', value: 'bf17' }],
      });
    });
  });
}
