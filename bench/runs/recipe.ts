/** The recipe of the bench's runs: all stages, no resources worth the name. Nothing reads its paths. */
import { recipeSchema } from '../../domain/recipe.ts';

const resources = { time_limit_minutes: 5 };

export const benchRecipe = recipeSchema.parse({
  name: 'bench-runs',
  seed: 1,
  dataset: '/data',
  base_model: '/base',
  prompt: 'compact-v1',
  synthesis: {
    model: 'm',
    requests_per_minute: 1,
    tokens_per_minute: 1000,
    budget_usd: 1,
    prices: { input: 1, cached_input: 1, output: 1 },
  },
  sft: { batch_size: 10, learning_rate: 0.001, epochs: 1, cutoff_len: 512, save_steps: 10, resources },
  grpo: {
    steps: 5,
    prompts_per_step: 2,
    generations: 2,
    learning_rate: 0.001,
    max_completion_length: 10,
    save_steps: 5,
    resources,
  },
  predict: { batch_size: 2, max_new_tokens: 10, resources },
  gate: { champion: 'bench', min_main_score: 0 },
  // Stand-ins write no further rows, and a thousand runs take longer to begin than a job may be silent.
  watch: { stall_seconds: 86_400 },
});
