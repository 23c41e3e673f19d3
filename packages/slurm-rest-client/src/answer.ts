/** Reads slurmrestd's envelope: errors, warnings and meta around the payload. Makes a SlurmError of a bad answer. */
import * as z from 'zod';
import { classify, type Evidence } from './classify.ts';
import { SlurmError } from './errors.ts';
import type { RawAnswer, RawRequest } from './transport.ts';
import type { SlurmWarning } from './types.ts';

/** v0.0.38 spells the number `error_number`, `error_code` or `errno`, and its words `error` or `description`. */
const wireError = z.object({
  error_number: z.number().nullish(),
  error_code: z.number().nullish(),
  errno: z.number().nullish(),
  error: z.string().nullish(),
  description: z.string().nullish(),
  source: z.string().nullish(),
});
const wireWarning = z.object({ description: z.string().nullish(), source: z.string().nullish() });
const release = z.object({ release: z.string().nullish(), cluster: z.string().nullish() }).nullish();

const envelope = z.looseObject({
  errors: z.array(wireError).nullish(),
  warnings: z.array(wireWarning).nullish(),
  /** `Slurm` on v0.0.38, `slurm` after it. */
  meta: z.object({ Slurm: release, slurm: release }).nullish(),
});

export interface Answer {
  status: number;
  /** Payload fields beside errors, warnings and meta. */
  body: Record<string, unknown>;
  errors: { number: number | undefined; description: string; source: string }[];
  warnings: SlurmWarning[];
  release: string;
  cluster: string;
  raw: RawAnswer;
}

/** The answer. Undefined if it is not slurmrestd's JSON: plain text of its HTTP layer, a proxy's page, half an answer. */
export function readAnswer(raw: RawAnswer): Answer | undefined {
  const parsed = envelope.safeParse(parseJson(raw.text));
  if (!parsed.success) return undefined;
  const { errors, warnings, meta } = parsed.data;
  const slurm = meta?.slurm ?? meta?.Slurm;
  return {
    status: raw.status,
    body: parsed.data,
    errors: (errors ?? []).map((error) => ({
      number: error.error_number || error.error_code || error.errno || undefined,
      description: raw.redact([error.error, error.description].filter(Boolean).join(': ')),
      source: error.source ?? '',
    })),
    warnings: (warnings ?? []).map((warning) => ({
      description: raw.redact(warning.description ?? ''),
      source: warning.source ?? '',
    })),
    release: slurm?.release ?? '',
    cluster: slurm?.cluster ?? '',
    raw,
  };
}

/** Success means a good status *and* an empty list of errors. It says nothing about what DELETE did. */
export function isGood(answer: Answer): boolean {
  return answer.status >= 200 && answer.status < 300 && answer.errors.length === 0;
}

/** The error for a failed answer. */
export function failure(request: RawRequest, raw: RawAnswer, answer: Answer | undefined): SlurmError {
  // The first error that names its cause. -1 ("unspecified") counts only if there is no other.
  const numbered = answer?.errors.filter((error) => error.number !== undefined) ?? [];
  const main = numbered.find((error) => error.number !== -1) ?? numbered[0];
  const words = answer?.errors.map((error) => error.description).filter((description) => description !== '') ?? [];
  const said = words.length > 0 ? words.join('; ') : firstLine(raw.redact(raw.text));
  const evidence: Evidence = {
    number: main?.number,
    httpStatus: raw.status,
    text: said,
    tokenExpired: raw.tokenExpired,
    write: request.write,
  };
  return slurmError(request, evidence, said, main?.source ?? '');
}

/** The error for an answer that claims success and is not what was asked for: half a body, a proxy's page, no job id. */
export function unreadable(request: RawRequest, raw: RawAnswer, why: string): SlurmError {
  const fate = request.write ? ', and whether it was carried out is not known' : '';
  return new SlurmError(`${request.what}: unreadable answer (HTTP ${raw.status})${fate}: ${raw.redact(why)}`, {
    kind: request.write ? 'ambiguous' : 'protocol',
    delivery: request.write ? 'unknown' : 'not-delivered',
    httpStatus: raw.status,
    source: 'client',
  });
}

function slurmError(request: RawRequest, evidence: Evidence, said: string, source: string): SlurmError {
  const { kind, delivery } = classify(evidence);
  const { number, httpStatus } = evidence;
  const numbers = [number, `HTTP ${httpStatus}`].filter((part) => part !== undefined).join(', ');
  const expired = kind === 'auth' && evidence.tokenExpired ? ' (the token had expired)' : '';
  return new SlurmError(`${request.what}: ${verbs[kind]}${expired}: ${said} (${numbers})`, {
    kind,
    delivery,
    number,
    httpStatus,
    source,
  });
}

const verbs: Record<SlurmError['kind'], string> = {
  refused: 'refused by Slurm',
  'unknown-job': 'Slurm does not know the job',
  unavailable: 'Slurm is not available',
  auth: 'not authenticated',
  ambiguous: 'Slurm did not say whether it was carried out',
  throttled: 'Slurm says not now',
  protocol: 'not understood by slurmrestd',
};

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // An answer that is not JSON is expected: the caller gets `undefined`.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function firstLine(text: string): string {
  return (text.trim().split('\n')[0] ?? '').slice(0, 200) || 'empty answer';
}
