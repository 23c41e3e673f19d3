/**
 * Synthesis tools: client, money and limiter of one stage. The limiters are the process's: all runs that use one API key
 * at one address share one.
 */
import pLimit, { type LimitFunction } from 'p-limit';
import type { SynthesisSettings } from '../../domain/recipe.ts';
import { accountName, readApiKey } from '../teacher/api-key.ts';
import { BatchClient } from '../teacher/batch-client.ts';
import { RateLimiter } from '../teacher/limiter.ts';
import { TeacherClient } from '../teacher/client.ts';
import { Till } from './till.ts';

/** By account: API key and base URL. */
const limiters = new Map<string, RateLimiter>();
/** Requests of one stage whose pictures are in memory. Each is gone once it is sent, within a second or so. */
const sendingAtOnce = 16;

export interface Tools {
  till: Till;
  client: TeacherClient;
  batchClient: BatchClient;
  limiter: RateLimiter;
  sending: LimitFunction;
}

/** What asking needs, made when the first row must be asked: a stage whose answers are all there needs no key. */
export class AskingTools {
  readonly #keyFile: string;
  readonly #baseUrl: string;
  readonly #settings: SynthesisSettings;
  #lasting: Omit<Tools, 'till'> | undefined;
  #leave: () => void = () => undefined;

  constructor(keyFile: string, baseUrl: string, settings: SynthesisSettings) {
    this.#keyFile = keyFile;
    this.#baseUrl = baseUrl;
    this.#settings = settings;
  }

  /** `spent`: what the log says, while nothing is in flight: USD may have been spent since the last round. */
  async open(spent: number): Promise<Tools> {
    this.#lasting ??= await this.#make();
    return { ...this.#lasting, till: new Till(this.#settings.budget_usd, spent) };
  }

  async #make(): Promise<Omit<Tools, 'till'>> {
    const key = await readApiKey(this.#keyFile);
    const account = accountName(this.#baseUrl, key);
    const limiter = limiters.get(account) ?? new RateLimiter();
    limiters.set(account, limiter);
    const { requests_per_minute: requestsPerMinute, tokens_per_minute: tokensPerMinute } = this.#settings;
    this.#leave = limiter.claim({ requestsPerMinute, tokensPerMinute });
    const client = new TeacherClient(this.#baseUrl, key);
    return { client, batchClient: new BatchClient(this.#baseUrl, key), limiter, sending: pLimit(sendingAtOnce) };
  }

  close(): void {
    this.#leave();
  }
}
