/** The recipes of this repository in the hands of an engine's own parser, in its own environment. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));
const attempts = z.array(
  z.object({ recipe: z.string(), attempt: z.looseObject({ engine: z.looseObject({ name: z.string() }) }) }),
);
const config = z.looseObject({ text_config: z.looseObject({}) });
const answer = z.object({ faults: z.array(z.looseObject({ field: z.string() })) });
/** Of Qwen2.5-VL-7B-Instruct's config.json, which these recipes are for. */
const large = { num_attention_heads: 28, num_key_value_heads: 4, max_position_embeddings: 128_000 };

export interface Checked {
  /** Recipes that use the engine. */
  recipes: string[];
  /** Fields that its parser, or we after it, refuse. */
  faults: string[];
}

/** All attempts of the engine in tests/golden/recipe-attempts.json, with these keys of the engine's own in each. */
export async function checkRecipes(
  engine: string,
  python: string,
  own: Record<string, unknown> = {},
): Promise<Checked> {
  const all = attempts.parse(JSON.parse(await readFile(join(root, 'tests/golden/recipe-attempts.json'), 'utf8')));
  const of = all.filter(({ attempt }) => attempt.engine.name === engine);
  const folder = await mkdtemp(join(tmpdir(), 'critic-recipes-'));
  try {
    const model = join(folder, 'model');
    await cp(join(root, 'models/tiny-critic'), model, { recursive: true });
    const read = config.parse(JSON.parse(await readFile(join(model, 'config.json'), 'utf8')));
    const changed = { ...read, text_config: { ...read.text_config, ...large } };
    await writeFile(join(model, 'config.json'), JSON.stringify(changed));
    const asked = of.map(({ attempt }) => ({
      attempt: withOwn(attempt, own),
      directory: folder,
      base_model: model,
      gpu: true,
    }));
    const running = promisify(execFile)(python, ['-P', '-m', 'critic_trainer.engines', 'check'], {
      cwd: folder,
      env: { PATH: '/usr/bin:/bin', PYTHONPATH: join(root, 'trainer') },
    });
    running.child.stdin?.end(JSON.stringify({ attempts: asked }));
    const { faults } = answer.parse(JSON.parse((await running).stdout));
    return { recipes: [...new Set(of.map(({ recipe }) => recipe))], faults: faults.map(({ field }) => field) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const paramsSchema = z.looseObject({ settings: z.record(z.string(), z.unknown()).default({}) });

function withOwn(attempt: Record<string, unknown>, own: Record<string, unknown>): Record<string, unknown> {
  const params = paramsSchema.parse(attempt['params']);
  return { ...attempt, params: { ...params, settings: { ...params.settings, ...own } } };
}
