/**
 * The engine: the versions that compute a job's output. The environment itself is asked, since another torch makes other models. If this worker
 * can run the interpreter, each run and each estimate asks it afresh (0.3 s). Nothing is kept, so nothing can be stale. If only nodes have it,
 * the operator keeps their answer in a file. In both cases a job compares the versions with its own environment before it begins
 * (trainer/critic_trainer/engines/versions.py).
 *
 * Side effects: none. A worker that is killed leaves at most an interpreter that ends by itself.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { describeFault } from '../../domain/errors.ts';
import { type EngineName, engineNames, type EngineVersions } from '../../domain/engines/registry.ts';
import { FileFault, readRegularFile } from '../../files/regular-file.ts';
import { hasCode } from './durable-file.ts';
import { parseJson } from '../../files/json.ts';
import { passing, refuse } from '../failure.ts';

export type Engines = Record<EngineName, EngineVersions>;

const run = promisify(execFile);
/** A cold environment on a slow shared file system takes ten seconds. */
const patienceMs = 120_000;
const maxAnswerBytes = 256 * 1024;
const version = z.string().min(1).max(200);
const answerSchema = z.object({
  schema: z.literal(1),
  engines: z.record(z.enum(engineNames), z.record(version, version)),
});

/** Who is asked for the engine's versions. */
export interface EngineSource {
  /** Absolute path of the trainer's Python interpreter, as the nodes see it. */
  python: string;
  /** A file, kept by the operator, with what that interpreter says of its engine. For workers that cannot run it. */
  engineFile: string | undefined;
}

/** Versions of all engines: from the operator's file if one is named, else from the interpreter. */
export async function findEngines(job: EngineSource, trainer: string): Promise<Engines> {
  return job.engineFile === undefined ? askEngines(job.python, trainer) : readEngines(job.engineFile);
}

/** What `python -m critic_trainer.engines` printed on a node. `ConfigInvalid` for anything else. */
async function readEngines(file: string): Promise<Engines> {
  const wrong = (got: string) =>
    invalid('CRITIC_ENGINE_FILE', file, 'what `python -m critic_trainer.engines` prints', got);
  const text = await readRegularFile(file, maxAnswerBytes).catch((error: unknown) => {
    if (error instanceof FileFault) throw wrong(error.got);
    if (hasCode(error, 'ENOENT')) throw wrong('no file');
    throw error;
  });
  const answer = answerSchema.safeParse(parseJson(text.toString('utf8')));
  if (!answer.success) throw wrong(text.toString('utf8'));
  return answer.data.engines;
}

/**
 * Versions of all engines in the environment of `python`. `trainer` is a folder with `critic_trainer/`.
 * `ConfigInvalid` if it cannot be run here, or lacks a package. If there is no answer within two minutes, it is retried.
 */
export async function askEngines(python: string, trainer: string): Promise<Engines> {
  const stdout = await askTrainer(python, trainer, [], '').catch((error: unknown) => {
    throw unanswered(python, error);
  });
  const answer = answerSchema.safeParse(parseJson(stdout));
  if (!answer.success) throw invalid('CRITIC_PYTHON', python, 'an interpreter that names its versions', stdout);
  return answer.data.engines;
}

/** What `python -m critic_trainer.engines <verb>` prints, given `input`. Throws what `execFile` throws, a refused verb included. */
export async function askTrainer(python: string, trainer: string, verb: string[], input: string): Promise<string> {
  const asked = run(python, ['-P', '-m', 'critic_trainer.engines', ...verb], {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', PYTHONPATH: trainer, PYTHONDONTWRITEBYTECODE: '1' },
    timeout: patienceMs,
    killSignal: 'SIGKILL',
    maxBuffer: maxAnswerBytes,
  });
  // An interpreter that ends without reading breaks the pipe; its exit code says why.
  asked.child.stdin?.on('error', () => undefined).end(input);
  return (await asked).stdout;
}

/** What an interpreter left that did not answer: its exit code, or none if it was killed, and its last words. */
export const exitSchema = z.object({ code: z.union([z.string(), z.number()]).nullish(), stderr: z.string().catch('') });

/** An interpreter that was killed or took too long is asked again. One that is not there, or says no, is not asked again. */
function unanswered(python: string, error: unknown): ApplicationFailure {
  const { code, stderr } = exitSchema.catch({ code: null, stderr: '' }).parse(error);
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  if (code === null || code === undefined) {
    const message = `ask "${python}" for its versions: no answer within ${patienceMs / 1000} s, or it was killed`;
    return passing('SystemError', message, error);
  }
  const expected = 'an interpreter with trainer/requirements.txt that this worker can run, or a CRITIC_ENGINE_FILE';
  return invalid('CRITIC_PYTHON', python, expected, `exit ${code}${last === '' ? '' : `: ${last}`}`);
}

function invalid(variable: string, path: string, expected: string, got: string): ApplicationFailure {
  const message = describeFault({ field: `${variable} ("${path}")`, value: got, expected });
  return refuse('ConfigInvalid', message);
}
