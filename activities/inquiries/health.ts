/**
 * Health: what the worker sees of store, Slurm, its environments, channels and the teacher's key. Each check has its own patience and says what it found: none
 * hides another one. The teacher is asked for its list of models, which costs nothing; no secret is in a sentence.
 *
 * One side effect: a file of 64 KiB in the store, `.doctor-<uuid>.tmp`, written, read back and removed. kill -9 in between leaves it; it is a leftover that
 * `artifacts gc` finds. A full disk or a read-only mount is the finding.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { open, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { HealthCheck } from '../../domain/health-check.ts';
import { viewAgeMs } from '../../files/fresh-look.ts';
import type { ChannelsFile } from '../../input/channels-file.ts';
import type { JobDeps } from '../jobs/deps.ts';
import { describeEngines } from '../store/engine.ts';
import type { TeacherDeps } from '../teacher/accounts.ts';
import { checkAccounts, checkPartitions } from './account-limits.ts';
import type { Answerer } from './answerer.ts';
import { checkChannels } from './channels-health.ts';

export interface HealthDeps extends Pick<JobDeps, 'store' | 'slurm' | 'accounting'>, TeacherDeps {
  job: JobDeps['job'] & { trainerSource: string };
  /** When the token with which Slurm is asked ends. Undefined: it does not say. */
  tokenEnds: () => Promise<Date | undefined>;
  /** Where people are told. Undefined: nowhere. */
  channels?: ChannelsFile;
}

/** A check that takes longer is a problem by itself. */
const patienceMs = 60_000;
/** A teacher that does not list its models within this time does not answer, ms. */
const teacherMs = 15_000;
/** Less than this is told, GiB: a checkpoint of a 7B model has more. */
const fewGib = 100;
const gib = 1024 ** 3;

type Found = Omit<HealthCheck, 'what'>;

export function answerHealth(deps: HealthDeps): Answerer<'health'> {
  return {
    input: z.strictObject({}),
    answer: async () => {
      const checks: [string, () => Promise<Found | Found[]>][] = [
        ['store', () => checkWriting(deps.store.root)],
        ['disk', () => checkDisk(deps.store.root)],
        ['file system', () => checkView(deps.store.root)],
        ['slurmrestd', () => checkSlurm(deps)],
        ['Slurm token', () => checkToken(deps)],
        ['partitions', () => checkPartitions(deps.slurm)],
        ['slurmdbd', () => checkAccounting(deps)],
        ['accounts', async () => checkAccounts(deps.slurm, deps.job.userName, await deps.accounting.notice())],
        ['environments', () => checkEnvironments(deps)],
        ['teacher key', () => checkTeacher(deps)],
        ['channels', () => checkChannels(deps.store.root, deps.channels)],
      ];
      return { checks: (await Promise.all(checks.map(([what, check]) => safely(what, check)))).flat() };
    },
  };
}

async function safely(what: string, check: () => Promise<Found | Found[]>): Promise<HealthCheck[]> {
  const late = new AbortController();
  try {
    const found = await Promise.race([
      check(),
      sleep(patienceMs, undefined, { signal: late.signal }).then((): Found => {
        return { state: 'problem', sentence: `expected an answer within ${patienceMs / 1000} s, got none` };
      }),
    ]);
    return [found].flat().map((one) => ({ what, ...one, sentence: one.sentence.slice(0, 500) }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [{ what, state: 'problem', sentence: why.slice(0, 500) }];
  } finally {
    late.abort();
  }
}

async function checkWriting(root: string): Promise<Found> {
  const path = join(root, `.doctor-${randomUUID()}.tmp`);
  const content = randomBytes(64 * 1024);
  try {
    const file = await open(path, 'wx', 0o640);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    if (!(await readFile(path)).equals(content)) {
      return { state: 'problem', sentence: `"${root}": expected to read what was written, got something else` };
    }
  } finally {
    await rm(path, { force: true });
  }
  const { mode } = await stat(root);
  const isOpen = (mode & 0o007) !== 0;
  const shown = (mode & 0o777).toString(8);
  return isOpen
    ? {
        state: 'problem',
        sentence: `"${root}": expected no rights for others, got mode 0${shown}; run: chmod o= ${root}`,
      }
    : { state: 'good', sentence: `"${root}" can be written and read, mode 0${shown}` };
}

async function checkDisk(root: string): Promise<Found> {
  const { bavail, bsize, files, ffree } = await statfs(root);
  const free = (bavail * bsize) / gib;
  const sentence = `${Math.floor(free)} GiB free${files > 0 ? `, ${Math.floor((100 * ffree) / files)} % of the inodes` : ''}`;
  if (free < 1 || (files > 0 && ffree < 1000)) return { state: 'problem', sentence: `expected room, got ${sentence}` };
  return { state: free < fewGib ? 'note' : 'good', sentence };
}

async function checkView(root: string): Promise<Found> {
  const age = await viewAgeMs(root);
  return {
    state: 'good',
    sentence:
      age === 0 ? 'a disk of this machine' : `shared: what other machines write may be seen ${age / 1000} s late`,
  };
}

async function checkSlurm({ slurm, job }: HealthDeps): Promise<Found> {
  const { apiVersion } = await slurm.connect();
  const { up, controllers } = await slurm.ping();
  const hosts = controllers.map(({ host, up: answers }) => `${host}${answers ? '' : ' (down)'}`).join(', ');
  if (!up)
    return { state: 'problem', sentence: `expected a controller that answers, got ${hosts === '' ? 'none' : hosts}` };
  // Ping does not look at the token; this does.
  const partitions = await slurm.partitions();
  const release = slurm.server?.release ?? '';
  return {
    state: partitions.length === 0 ? 'problem' : 'good',
    sentence: `${apiVersion}${release === '' ? '' : ` of Slurm ${release}`}, user ${job.userName}; controller ${hosts}; ${partitions.length} ${partitions.length === 1 ? 'partition' : 'partitions'}`,
  };
}

async function checkToken({ tokenEnds }: HealthDeps): Promise<Found> {
  const ends = await tokenEnds();
  if (ends === undefined) return { state: 'note', sentence: 'it does not say when it ends' };
  const minutes = Math.floor((ends.getTime() - Date.now()) / 60_000);
  const sentence = `it ends ${ends.toISOString().slice(0, 16)}Z, in ${minutes} minutes`;
  return { state: minutes < 2 ? 'problem' : 'good', sentence };
}

async function checkAccounting({ accounting }: HealthDeps): Promise<Found> {
  const notice = await accounting.notice();
  return notice === undefined ? { state: 'good', sentence: 'it answers' } : { state: 'note', sentence: notice };
}

/** What a recipe needs and is not there is refused before a run; so nothing here is a problem by itself. */
async function checkEnvironments({ job }: HealthDeps): Promise<Found[]> {
  return (await describeEngines(job, job.trainerSource)).map((sentence) => ({ state: 'note', sentence }));
}

async function checkTeacher({ llm }: HealthDeps): Promise<Found> {
  const { client } = await llm.open();
  const models = await client.models(AbortSignal.timeout(teacherMs));
  return models === undefined
    ? { state: 'note', sentence: `its file is closed to others; ${llm.baseUrl} has no list of models to try it with` }
    : {
        state: 'good',
        sentence: `${llm.baseUrl} accepts it, and lists ${models.length} ${models.length === 1 ? 'model' : 'models'}`,
      };
}
