/** The recipe of the benches of synthesis: its defaults, but for what must be said. */
export function benchRecipe(dataset: string, synthesis: Record<string, unknown>): unknown {
  const resources = { time_limit_minutes: 10 };
  return {
    name: 'bench',
    seed: 1,
    dataset,
    base_model: '/none',
    prompt: 'paper-v1',
    synthesis: {
      model: 'gpt-4o-2024-08-06',
      requests_per_minute: 10_000,
      tokens_per_minute: 2_000_000,
      budget_usd: 1000,
      prices: { input: 2.5, cached_input: 1.25, output: 10 },
      ...synthesis,
    },
    sft: { batch_size: 4, learning_rate: 1e-5, epochs: 1, cutoff_len: 4096, save_steps: 10, resources },
    grpo: {
      steps: 1,
      prompts_per_step: 1,
      generations: 2,
      learning_rate: 1e-6,
      max_completion_length: 64,
      save_steps: 1,
      resources,
    },
    predict: { batch_size: 4, max_new_tokens: 64, resources },
    gate: { champion: 'bench', min_main_score: 0 },
  };
}
