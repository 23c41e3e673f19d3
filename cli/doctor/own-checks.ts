/**
 * Checks that need no Temporal: what this machine sees of the worker's settings, where it has them, as the machine of a local stack or of a worker does. They
 * read and ask only. No secret is read: of a key its file's mode is looked at.
 */
import { stat, statfs } from 'node:fs/promises';
import * as z from 'zod';
import type { HealthCheck } from '../../domain/health-check.ts';
import { readChannels } from '../../input/channels-file.ts';

const gib = 1024 ** 3;
/** A server on the same network answers in a fraction of this, ms. */
const answerMs = 5_000;

const text = z.string().min(1).optional().catch(undefined);
const settingsSchema = z.object({
  CRITIC_STORE: text,
  CRITIC_SLURM_URL: text,
  CRITIC_LLM_API_KEY_FILE: text,
  CRITIC_CHANNELS_FILE: text,
});

type Found = Omit<HealthCheck, 'what'>;
const problem = (sentence: string): Found => ({ state: 'problem', sentence });

/** What can be looked at while Temporal does not answer, and what cannot. `settings`: variables of a worker, as far as this machine has them. */
export async function ownChecks(settings: object): Promise<HealthCheck[]> {
  const known = settingsSchema.parse(settings);
  const all: [what: string, value: string | undefined, check: (value: string) => Promise<Found>][] = [
    ['store', known.CRITIC_STORE, checkStore],
    ['slurmrestd', known.CRITIC_SLURM_URL, checkSlurm],
    ['teacher key', known.CRITIC_LLM_API_KEY_FILE, checkKey],
    ['channels', known.CRITIC_CHANNELS_FILE, checkChannels],
  ];
  const checks: HealthCheck[] = [];
  for (const [what, value, check] of all) {
    if (value === undefined) continue;
    const found = await check(value).catch((error: unknown) => problem(messageOf(error)));
    checks.push({ what, ...found });
  }
  const unset = all.filter(([, value]) => value === undefined).map(([what]) => what);
  const here = unset.length === 0 ? '' : `; nor ${unset.join(', ')}: this machine has no settings for them`;
  const sentence = `search attributes, workers, nodes, and what a worker sees of store, Slurm, environments, teacher and channels: all that is asked for through Temporal${here}`;
  return [...checks, { what: 'not looked at', state: 'note', sentence }];
}

async function checkStore(root: string): Promise<Found> {
  if (!(await stat(root)).isDirectory()) return problem(`CRITIC_STORE: expected a folder, got "${root}"`);
  const { bavail, bsize } = await statfs(root);
  return { state: 'good', sentence: `"${root}" is there, ${Math.floor((bavail * bsize) / gib)} GiB free` };
}

async function checkSlurm(url: string): Promise<Found> {
  try {
    // Whatever it says of a request without a token, it answers.
    const { status } = await fetch(url, { signal: AbortSignal.timeout(answerMs), redirect: 'manual' });
    return { state: 'good', sentence: `${url} answers (HTTP ${status}); its token was not tried` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return problem(`CRITIC_SLURM_URL: expected a slurmrestd at ${url}, got no answer (${messageOf(cause)})`);
  }
}

async function checkKey(path: string): Promise<Found> {
  const { mode, size } = await stat(path);
  const rights = (mode & 0o777).toString(8);
  if ((mode & 0o077) !== 0)
    return problem(`CRITIC_LLM_API_KEY_FILE "${path}": expected mode 0600, got 0${rights}; run: chmod 600 ${path}`);
  if (size === 0) return problem(`CRITIC_LLM_API_KEY_FILE "${path}": expected a key, got an empty file`);
  return { state: 'good', sentence: `"${path}" is closed to others; it was not tried` };
}

async function checkChannels(path: string): Promise<Found> {
  const names = Object.keys((await readChannels(path)).channels);
  return { state: 'good', sentence: `"${path}" names ${names.join(', ') || 'none'}; none was tried` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
