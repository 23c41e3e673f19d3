/**
 * Teacher accounts: the clients by which a worker asks its teacher, and the limiters. All stages that use one API key at one
 * address share one limiter. The worker builds this once; the key's file is read when a stage begins to ask, so that a stage
 * whose answers are all there needs no key, and a corrected key is seen by the next try.
 */
import { accountName, readApiKey } from './api-key.ts';
import { BatchClient } from './batch-client.ts';
import { openAiUrl, TeacherClient } from './client.ts';
import { RateLimiter } from './limiter.ts';

/** Clients of one stage (what they learn of the server's answer formats is that stage's) and the account's limiter. */
export interface TeacherAccount {
  client: TeacherClient;
  batchClient: BatchClient;
  limiter: RateLimiter;
}

/** What whoever asks the teacher needs. */
export interface TeacherDeps {
  llm: TeacherAccounts;
}

export class TeacherAccounts {
  /** Address in the form that keys of artifacts hold. */
  readonly baseUrl: string;
  readonly #keyFile: string;
  /** By account: API key and base URL. */
  readonly #limiters = new Map<string, RateLimiter>();

  constructor({ baseUrl, apiKeyFile }: { baseUrl: string | undefined; apiKeyFile: string }) {
    this.baseUrl = (baseUrl ?? openAiUrl).replace(/\/+$/, '');
    this.#keyFile = apiKeyFile;
  }

  /** The account whose key the file holds now. Throws `ConfigInvalid` where there is none. */
  async open(): Promise<TeacherAccount> {
    const key = await readApiKey(this.#keyFile);
    const account = accountName(this.baseUrl, key);
    const limiter = this.#limiters.get(account) ?? new RateLimiter();
    this.#limiters.set(account, limiter);
    return { client: new TeacherClient(this.baseUrl, key), batchClient: new BatchClient(this.baseUrl, key), limiter };
  }
}
