/**
 * One conversation with a slurmrestd. It finds the version that the server speaks, asks again for a read whose token was not accepted,
 * and reads every answer in the same way. It never repeats a write that may have arrived.
 */
import { failure, isGood, readAnswer, unreadable, type Answer } from './answer.ts';
import { rawRequest, type Call } from './call.ts';
import { SlurmError } from './errors.ts';
import type { Transport } from './transport.ts';
import type { ApiVersion, SlurmServer } from './types.ts';
import { adapterOf, apiVersions } from './versions.ts';
import type { Adapter } from './adapters/adapter.ts';

export class Session {
  readonly #transport: Transport;
  readonly #fixed: ApiVersion | undefined;
  #server: SlurmServer | undefined;
  #probing: Promise<SlurmServer> | undefined;

  constructor(transport: Transport, fixed: ApiVersion | undefined) {
    this.#transport = transport;
    this.#fixed = fixed;
  }

  get server(): SlurmServer | undefined {
    return this.#server;
  }

  /** The server, probed for at the first call. */
  async connect(): Promise<SlurmServer> {
    if (this.#server !== undefined) return this.#server;
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
    });
    this.#server = await this.#probing;
    return this.#server;
  }

  async adapter(): Promise<Adapter> {
    return adapterOf((await this.connect()).apiVersion);
  }

  /** Sends a call and returns its answer, good or bad, if it is slurmrestd's JSON. Throws SlurmError otherwise. */
  async ask(call: Call): Promise<Answer> {
    const { apiVersion } = await this.connect();
    const first = await this.#exchange(call, apiVersion);
    if (first.lostPath && this.#fixed === undefined) {
      // A 404 of the HTTP layer means that the path is not served, so nothing was done. The server may have been upgraded.
      this.#server = undefined;
      const now = (await this.connect()).apiVersion;
      if (now !== apiVersion) return settle(await this.#exchange(call, now));
    }
    return settle(first);
  }

  /** Like `ask`, but errors in the answer throw. */
  async call(call: Call): Promise<Answer> {
    const answer = await this.ask(call);
    if (isGood(answer)) return answer;
    const error = failure(rawRequest(call, '', undefined), answer.raw, answer);
    this.noticeAuth(error);
    if (call.write || error.kind !== 'auth') throw error;
    const again = await this.ask(call);
    if (isGood(again)) return again;
    throw failure(rawRequest(call, '', undefined), again.raw, again);
  }

  /** A token that was not accepted is not used again from memory. */
  noticeAuth(error: SlurmError): void {
    if (error.kind === 'auth') this.#transport.rejectToken();
  }

  async #exchange(call: Call, version: ApiVersion): Promise<Exchange> {
    const body = call.body?.(adapterOf(version));
    const request = rawRequest(call, version, body);
    const raw = await this.#transport.send(request);
    const answer = readAnswer(raw);
    if (answer === undefined) {
      const good = raw.status >= 200 && raw.status < 300;
      const error = good ? unreadable(request, raw, 'not the JSON of slurmrestd') : failure(request, raw, undefined);
      this.noticeAuth(error);
      return { answer: undefined, error, lostPath: raw.status === 404 };
    }
    this.#learn(answer, version);
    return { answer, error: undefined, lostPath: false };
  }

  #learn(answer: Answer, apiVersion: ApiVersion): void {
    if (answer.release === '') return;
    this.#server = { apiVersion, release: answer.release, cluster: answer.cluster };
  }

  /**
   * Asks for ping of each version, newest first. slurmrestd's JSON, even "controller down", proves the version, and its 404 denies it.
   * Anything else, such as a proxy's page or half an answer, proves nothing: then it throws `unavailable`, and the caller asks again.
   */
  async #probe(): Promise<SlurmServer> {
    if (this.#fixed !== undefined) return { apiVersion: this.#fixed, release: '', cluster: '' };
    for (const apiVersion of apiVersions) {
      const call: Call = { method: 'GET', daemon: 'slurm', path: 'ping/', what: 'find an API version', write: false };
      const { answer, error, lostPath } = await this.#exchange(call, apiVersion);
      if (answer !== undefined && isFromSlurm(answer)) {
        return { apiVersion, release: answer.release, cluster: answer.cluster };
      }
      if (!lostPath) throw unproven(call, apiVersion, answer, error);
    }
    throw new SlurmError(`find an API version: the server speaks none of ${apiVersions.join(', ')}`, {
      kind: 'protocol',
      delivery: 'not-delivered',
      httpStatus: 404,
    });
  }
}

/** Every answer of slurmrestd to ping carries one of these; JSON of a proxy does not. */
function isFromSlurm({ body }: Answer): boolean {
  return ['meta', 'errors', 'pings'].some((key) => key in body);
}

/** The error if only a question was sent: asking again does no harm, whatever came back. */
function unproven(
  call: Call,
  version: ApiVersion,
  answer: Answer | undefined,
  error: SlurmError | undefined,
): SlurmError {
  if (error !== undefined && error.kind !== 'protocol') return error;
  const request = rawRequest(call, version, undefined);
  const why = error?.message ?? `${request.path}: JSON that is not slurmrestd's (HTTP ${answer?.status})`;
  return new SlurmError(why, {
    kind: 'unavailable',
    delivery: 'not-delivered',
    httpStatus: error?.httpStatus ?? answer?.status,
    source: 'client',
  });
}

type Exchange =
  | { answer: Answer; error: undefined; lostPath: false }
  | { answer: undefined; error: SlurmError; lostPath: boolean };

function settle(exchange: Exchange): Answer {
  if (exchange.answer !== undefined) return exchange.answer;
  throw exchange.error;
}
