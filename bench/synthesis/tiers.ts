/**
 * GPT-4o's limits by usage tier: requests and tokens a minute. OpenAI shows them on the model's page and per account; these
 * are as https://www.ai-buzz.com/ai-openai-rate-limits copied them in 2025 (tier 1 also as in
 * https://community.openai.com/t/1028595). In 2024 tier 4 had 800,000.
 */
const tiers: Record<number, readonly [requests: number, tokens: number]> = {
  1: [500, 30_000],
  2: [5_000, 450_000],
  3: [5_000, 800_000],
  4: [10_000, 2_000_000],
  5: [10_000, 30_000_000],
};

/** `tier`: 1 to 5. */
export function tierLimits(tier: number): { requestsPerMinute: number; tokensPerMinute: number } {
  const limits = tiers[tier];
  if (limits === undefined) throw new Error(`tier ${tier}: expected 1 to 5`);
  const [requestsPerMinute, tokensPerMinute] = limits;
  return { requestsPerMinute, tokensPerMinute };
}
