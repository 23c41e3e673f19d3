/**
 * The engine: the versions that compute a job's output. The environment itself is asked, since another torch makes other models. If this worker
 * can run the interpreter, each run and each estimate asks it afresh (0.3 s). Nothing is kept, so nothing can be stale. If only nodes have it,
 * the operator keeps their answer in a file. In both cases a job compares the versions with its own environment before it begins
 * (trainer/critic_trainer/engines/versions.py).
 *
 * Side effects: none.
 */
import type { ApplicationFailure } from '@temporalio/activity';
import * as z from 'zod';
import { describeFault } from '../../domain/errors.ts';
import { type EngineName, engineNames, type EngineVersions } from '../../domain/engines/registry.ts';
import { FileFault, readRegularFile } from '../../files/regular-file.ts';
import { hasCode } from './durable-file.ts';
import { parseJson } from '../../files/json.ts';
import { passing, refuse } from '../failure.ts';
import {
  askTrainer,
  byEnvironment,
  type EngineEnvironment,
  type EngineSource,
  exitOf,
  patienceMs,
} from './environments.ts';

/** Versions by engine: of those that a run uses. */
export type Engines = Partial<Record<EngineName, EngineVersions>>;

const maxFileBytes = 256 * 1024;
const version = z.string().min(1).max(200);
const answerSchema = z.object({
  schema: z.literal(1),
  engines: z.partialRecord(z.enum(engineNames), z.record(version, version)),
  /** Why the others are not there. */
  missing: z.partialRecord(z.enum(engineNames), z.string()).default({}),
});
type Answer = z.output<typeof answerSchema>;

/** Versions of these engines, each in its own environment. `ConfigInvalid` if one is not there. */
export async function findEngines(job: EngineSource, trainer: string, names: readonly EngineName[]): Promise<Engines> {
  const found: Engines = {};
  for (const { environment, items } of byEnvironment(names, (name) => name, job)) {
    const answer = await (environment.engineFile === undefined
      ? askEngines(environment, trainer)
      : readEngines(environment, environment.engineFile));
    for (const name of items) {
      const versions = answer.engines[name];
      if (versions === undefined) throw lacks(environment, name, answer);
      found[name] = versions;
    }
  }
  return found;
}

/**
 * One sentence for each environment: which engines it has, or why it cannot be asked. Engines that should be there and are not are named with the
 * reason. For a person who has just started a worker; throws nothing.
 */
export async function describeEngines(job: EngineSource, trainer: string): Promise<string[]> {
  const groups = byEnvironment(engineNames, (name) => name, job);
  return Promise.all(
    groups.map(async ({ environment, items }) => {
      const { field, python, engineFile } = environment;
      try {
        const asked =
          engineFile === undefined ? askEngines(environment, trainer) : readEngines(environment, engineFile);
        const { engines, missing } = await asked;
        const there = items.filter((name) => engines[name] !== undefined);
        // What is in an environment of its own elsewhere, or nowhere, is not missed in CRITIC_PYTHON.
        const missed = field === 'CRITIC_PYTHON' ? [] : items.filter((name) => engines[name] === undefined);
        const why = missed.map((name) => `; ${name} is missing: ${missing[name] ?? 'not known there'}`);
        return `${field} ("${python}") has ${there.length === 0 ? 'no engine' : there.join(', ')}${why.join('')}`;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    }),
  );
}

function lacks(environment: EngineEnvironment, name: EngineName, { missing }: Answer): ApplicationFailure {
  const remedy = environment.field === 'CRITIC_PYTHON' ? 'name another one in CRITIC_ENVIRONMENTS_FILE; ' : '';
  const expected = `an environment in which ${name} is installed (${remedy}docs/OPERATIONS.md, "Environments")`;
  return invalid(environment.field, environment.python, expected, missing[name] ?? `no ${name}`);
}

/** What `python -m critic_trainer.engines` printed on a node. `ConfigInvalid` for anything else. */
async function readEngines({ field }: EngineEnvironment, file: string): Promise<Answer> {
  const name = field === 'CRITIC_PYTHON' ? 'CRITIC_ENGINE_FILE' : `${field}.engine_file`;
  const wrong = (got: string) => invalid(name, file, 'what `python -m critic_trainer.engines` prints', got);
  const text = await readRegularFile(file, maxFileBytes).catch((error: unknown) => {
    if (error instanceof FileFault) throw wrong(error.got);
    if (hasCode(error, 'ENOENT')) throw wrong('no file');
    throw error;
  });
  const answer = answerSchema.safeParse(parseJson(text.toString('utf8')));
  if (!answer.success) throw wrong(text.toString('utf8'));
  return answer.data;
}

/**
 * Versions of all engines in an environment. `trainer` is a folder with `critic_trainer/`.
 * `ConfigInvalid` if it cannot be run here. If there is no answer within two minutes, it is retried.
 */
export async function askEngines(environment: EngineEnvironment, trainer: string): Promise<Answer> {
  const stdout = await askTrainer(environment, trainer, [], '').catch((error: unknown) => {
    throw unanswered(environment, error);
  });
  const answer = answerSchema.safeParse(parseJson(stdout));
  if (answer.success) return answer.data;
  throw invalid(environment.field, environment.python, 'an interpreter that names its versions', stdout);
}

/** An interpreter that was killed or took too long is asked again. One that is not there, or says no, is not asked again. */
/** Why a program could not be started, by the system's code. */
const notRun: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'no such file'],
  ['EACCES', 'a file that may not be run'],
]);

function unanswered({ field, python }: EngineEnvironment, error: unknown): ApplicationFailure {
  const { code, last } = exitOf(error);
  if (code === null) {
    const message = `ask "${python}" for its versions: no answer within ${patienceMs / 1000} s, or it was killed`;
    return passing('SystemError', message, error);
  }
  const file = field === 'CRITIC_PYTHON' ? 'a CRITIC_ENGINE_FILE' : 'an engine_file';
  const expected = `an interpreter of ours (trainer/environments/) that this worker can run, or ${file}`;
  const how = typeof code === 'number' ? `exit ${code}` : (notRun.get(code) ?? code);
  return invalid(field, python, expected, `${how}${last === '' ? '' : `: ${last}`}`);
}

function invalid(field: string, path: string, expected: string, got: string): ApplicationFailure {
  const message = describeFault({ field: `${field} ("${path}")`, value: got, expected });
  return refuse('ConfigInvalid', message);
}
