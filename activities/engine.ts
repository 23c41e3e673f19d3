/**
 * The engine: which versions compute a job's output, asked of the environment itself, since upgrading torch makes other
 * models. Where this worker can run the interpreter it is asked afresh by each run and each plan (0.1 s): nothing is kept,
 * so nothing can be stale. A job compares the answer with its own environment before it begins (critic_trainer/engine.py).
 *
 * Side effects: none. A worker that is killed leaves at most an interpreter that ends by itself.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { describeFault } from '../domain/errors.ts';
import type { Engine } from '../domain/job-spec.ts';
import type { JobKind } from '../domain/plan.ts';
import { parseJson } from './evaluation/predictions.ts';

export type Engines = Record<JobKind, Engine>;

const run = promisify(execFile);
/** A cold environment on a slow shared file system takes ten seconds. */
const patienceMs = 120_000;
const version = z.string().min(1).max(200);
const engine = z.record(version, version);
const answerSchema = z.object({
  schema: z.literal(1),
  engines: z.object({ sft: engine, grpo: engine, predict: engine }),
});

/**
 * Engines of all kinds of jobs in the environment of `python`. `trainer` is a folder with `critic_trainer/`.
 * `ConfigInvalid` where it cannot be run here, or lacks a package; no answer within two minutes is retried.
 */
export async function askEngines(python: string, trainer: string): Promise<Engines> {
  const { stdout } = await run(python, ['-P', '-m', 'critic_trainer.engine'], {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', PYTHONPATH: trainer, PYTHONDONTWRITEBYTECODE: '1' },
    timeout: patienceMs,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024,
  }).catch((error: unknown) => {
    throw unanswered(python, error);
  });
  const answer = answerSchema.safeParse(parseJson(stdout));
  if (!answer.success) throw wrongPython(python, 'an interpreter that names the versions of its packages', stdout);
  return answer.data.engines;
}

const exitSchema = z.object({ code: z.union([z.string(), z.number()]).nullish(), stderr: z.string().catch('') });

/** An interpreter that was killed or took too long is asked again; one that is not there or says no is not. */
function unanswered(python: string, error: unknown): ApplicationFailure {
  const { code, stderr } = exitSchema.catch({ code: null, stderr: '' }).parse(error);
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  const cause = error instanceof Error ? { cause: error } : {};
  if (code === null || code === undefined) {
    const message = `ask "${python}" for its versions: no answer within ${patienceMs / 1000} s, or it was killed`;
    return ApplicationFailure.create({ type: 'SystemError', message, ...cause });
  }
  const expected = 'an interpreter with trainer/requirements.txt that this worker can run';
  return wrongPython(python, expected, `exit ${code}${last === '' ? '' : `: ${last}`}`);
}

function wrongPython(python: string, expected: string, got: string): ApplicationFailure {
  const message = describeFault({ field: `CRITIC_PYTHON ("${python}")`, value: got, expected });
  return ApplicationFailure.nonRetryable(message, 'ConfigInvalid');
}
