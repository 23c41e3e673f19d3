/** One call of the API, its URL, and the reading of its payload. */
import * as z from 'zod';
import type { Adapter } from './adapters/adapter.ts';
import { unreadable, type Answer } from './answer.ts';
import type { RawRequest } from './transport.ts';

export interface Call {
  method: 'GET' | 'POST' | 'DELETE';
  /** `slurm` asks slurmctld, `slurmdb` asks slurmdbd. */
  daemon: 'slurm' | 'slurmdb';
  /** Below the version: `job/submit`. */
  path: string;
  query?: [string, string][];
  body?: (adapter: Adapter) => unknown;
  /** For messages: `submit job "x"`. */
  what: string;
  write: boolean;
}

export function get(daemon: Call['daemon'], path: string, what: string): Call {
  return { method: 'GET', daemon, path, what, write: false };
}

export function post(path: string, what: string): Call {
  return { method: 'POST', daemon: 'slurm', path, what, write: true };
}

/** Repeats keys and escapes each value: slurmrestd answers raw commas in a URL with 400. */
export function rawRequest(call: Call, version: string, body: unknown): RawRequest {
  const pairs = (call.query ?? []).map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
  const query = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  const path = `/${call.daemon}/${version}/${call.path}${query}`;
  return { method: call.method, path, body, what: call.what, write: call.write };
}

/** A list that must be there. If it is absent the answer is broken; it never means "none". */
export function readList(call: Call, answer: Answer, key: string): unknown[] {
  return parse(call, answer, () => z.array(z.unknown()).parse(answer.body[key]));
}

/** Runs a zod reader. Throws SlurmError for what it cannot read. */
export function parse<T>(call: Call, answer: Answer, reader: () => T): T {
  try {
    return reader();
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw unreadable(rawRequest(call, '', undefined), answer.raw, z.prettifyError(error));
  }
}
