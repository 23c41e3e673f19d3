/**
 * What an error means. Slurm's error number decides, never the HTTP status alone (an invalid partition and a dead controller are
 * both 500 on 22.05). Numbers are from slurm_errno.h. They are equal in 22.05.8, 24.11.7 and 26.05.3 unless noted. Pure.
 */
import type { Delivery, SlurmErrorKind } from './errors.ts';

export interface Verdict {
  kind: SlurmErrorKind;
  delivery: Delivery;
}

export interface Evidence {
  /** Undefined if the answer had none (plain text, no answer). */
  number: number | undefined;
  /** Undefined if the connection failed. */
  httpStatus: number | undefined;
  /** slurmrestd's own words. */
  text: string;
  /** The token was past its `exp` when the request was sent. */
  tokenExpired: boolean;
  /** The request changes something: submit, cancel, signal, update. */
  write: boolean;
}

/** slurmrestd has no connection to slurmctld (1800), or slurmctld's rate limiter refused (1804, 23.02+): the request never got in. */
const neverDelivered = new Set([1800, 1804]);

/**
 * Communication broke at an unknown point. The job may be created after the answer (5004, measured on 22.05 and 24.11). 1000 is the
 * answer to an update that a frozen slurmctld carries out later (measured on 24.11 and 26.05).
 */
const brokenUnderway = new Set([-1, 1000, 1001, 1002, 1003, 1004, 1801, 1802, 1803, 1805, 5003, 5004, 5005]);

/**
 * Slurm answered that it cannot do it now: database (7000), standby controller (2027, 2041, 2131), transitions (2020), prolog (2061),
 * disk (2019), missing daemons (1020-1023).
 */
const cannotNow = new Set([1020, 1021, 1022, 1023, 2019, 2020, 2027, 2041, 2061, 2131, 7000]);

/** EAGAIN (MaxJobCount; 2007 in 26.05), rate limit, accounting policy, submissions disabled. */
const notNow = new Set([11, 1804, 2007, 2050, 2105]);

/** 1007 SLURM_PROTOCOL_AUTHENTICATION_ERROR; 6001 AUTH_EXPIRED (after 22.05). */
const auth = new Set([1007, 6001]);

/** What 22.05 answers to an expired token, on any call. Outages have the same numbers, so `exp` decides. */
const authIfExpired = new Set([-1, 5005, 7000]);

/** Judges a failed request. */
export function classify(evidence: Evidence): Verdict {
  const { number, httpStatus, write } = evidence;
  if (isAuth(evidence)) return { kind: 'auth', delivery: authDelivery(evidence) };
  if (number === undefined) return classifyStatus(httpStatus, write);
  if (brokenUnderway.has(number)) return lost(write);
  if (neverDelivered.has(number)) {
    return { kind: notNow.has(number) ? 'throttled' : 'unavailable', delivery: 'not-delivered' };
  }
  const delivery = write ? 'refused' : 'not-delivered';
  if (cannotNow.has(number)) return { kind: 'unavailable', delivery };
  if (notNow.has(number)) return { kind: 'throttled', delivery };
  if (number === 2017) return { kind: 'unknown-job', delivery };
  if (number >= 9000) return { kind: 'protocol', delivery };
  return { kind: 'refused', delivery };
}

/**
 * By `exp` the token had expired. But this machine's clock may be wrong, and then the same numbers mean that the connection broke
 * after delivery: a write may have been carried out.
 */
function authDelivery({ number, write }: Evidence): Delivery {
  if (!write) return 'not-delivered';
  return number !== undefined && brokenUnderway.has(number) ? 'unknown' : 'refused';
}

function isAuth({ number, httpStatus, text, tokenExpired }: Evidence): boolean {
  if (httpStatus === 401 || (number !== undefined && auth.has(number))) return true;
  if (tokenExpired && number !== undefined && authIfExpired.has(number)) return true;
  // The only decision on words: on 24.11 a slurmdbd that is down and one that rejects the token both give 502 with 7000.
  return number === 7000 && /authentication/i.test(text);
}

/** Judges an answer without a number: it is from slurmrestd's HTTP layer (plain text) or from a proxy in between. */
function classifyStatus(httpStatus: number | undefined, write: boolean): Verdict {
  if (httpStatus === 511) return { kind: 'auth', delivery: write ? 'refused' : 'not-delivered' };
  if (httpStatus === 429) return { kind: 'throttled', delivery: 'not-delivered' };
  if (httpStatus !== undefined && httpStatus >= 400 && httpStatus < 500 && httpStatus !== 408) {
    return { kind: 'protocol', delivery: write ? 'refused' : 'not-delivered' };
  }
  return lost(write);
}

function lost(write: boolean): Verdict {
  return write ? { kind: 'ambiguous', delivery: 'unknown' } : { kind: 'unavailable', delivery: 'not-delivered' };
}

/** Undici's and Node's codes for "no connection was made". Nothing was delivered then. */
const connectCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
]);

/** Judges a request that got no answer. `syscall` is Node's: only `connect` and `getaddrinfo` certainly come before sending. */
export function classifyNetwork(code: string, syscall: string, write: boolean): Verdict {
  if (connectCodes.has(code) || syscall === 'connect' || syscall === 'getaddrinfo') {
    return { kind: 'unavailable', delivery: 'not-delivered' };
  }
  return lost(write);
}
