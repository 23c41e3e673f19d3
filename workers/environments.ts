/** Environments file: YAML → where each engine is installed that has an environment of its own. Checked once, when the worker starts. */
import { parse } from 'yaml';
import * as z from 'zod';
import type { EngineEnvironment } from '../activities/store/environments.ts';
import { cut, describeIssue } from '../domain/errors.ts';
import { type EngineName, engineNames } from '../domain/engines/registry.ts';
import { readRegularText } from '../files/regular-file.ts';
import type { WorkerConfig } from './config.ts';

const maxFileBytes = 64 * 1024;
const expected = 'expected an absolute path';
/** apptainer takes a list of binds with commas, each with colons for where it appears. */
const absolute = z.string(expected).regex(/^\/[^\0]*$/, expected);
const plain = absolute.regex(/^[^,:]*$/, 'expected an absolute path without "," and ":"');
const environment = z
  .strictObject({
    /** The interpreter, as the nodes see it; with an image, as it is called in there. */
    python: absolute,
    image: absolute.optional(),
    /** Folders of the host that jobs see in the image. The store is one of them anyway. */
    binds: z.array(plain).optional(),
    engine_file: absolute.optional(),
  })
  .refine(({ image, binds }) => image !== undefined || binds === undefined, {
    path: ['binds'],
    error: 'expected no binds without an image',
  });
const schema = z.strictObject({ environments: z.partialRecord(z.enum(engineNames), environment) });

/** By engine. Throws one error that names the file and every fault in it. */
export async function readEnvironments({
  CRITIC_ENVIRONMENTS_FILE: file,
  CRITIC_STORE: store,
}: Pick<WorkerConfig, 'CRITIC_ENVIRONMENTS_FILE' | 'CRITIC_STORE'>): Promise<
  Partial<Record<EngineName, EngineEnvironment>>
> {
  if (file === undefined) return {};
  const parsed = schema.safeParse(await readYaml(file), { reportInput: true });
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap(faultsOf).map((fault) => `  ${cut(fault)}`);
    throw new Error(`CRITIC_ENVIRONMENTS_FILE ("${file}") is not usable:\n${faults.join('\n')}`);
  }
  const entries = Object.entries(parsed.data.environments).map(([name, { python, image, binds, engine_file }]) => [
    name,
    {
      field: `environments.${name}`,
      python,
      image: image === undefined ? undefined : { path: image, binds: [...new Set([store, ...(binds ?? [])])] },
      engineFile: engine_file,
    },
  ]);
  return Object.fromEntries(entries);
}

/** A fault for each key or value, by its place. */
function faultsOf(issue: z.core.$ZodIssue): string[] {
  const place = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(issue.path.length);
    return issue.keys.map((key) => `${[place, key].filter(Boolean).join('.')}: unknown key, expected ${known}`);
  }
  const mapping = issue.code === 'invalid_type' && ['object', 'record'].includes(issue.expected);
  const message = mapping ? `expected a mapping of ${keysOf(issue.path.length)}` : issue.message;
  return [`${place || 'the file'}: ${describeIssue({ message, input: issue.input })}`];
}

/** What may stand in a mapping of this depth. */
function keysOf(depth: number): string {
  if (depth === 0) return '"environments"';
  return depth === 1 ? `engines (${engineNames.join(', ')})` : 'python, image, binds, engine_file';
}

async function readYaml(file: string): Promise<unknown> {
  try {
    return parse(await readRegularText(file, maxFileBytes));
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Error(`CRITIC_ENVIRONMENTS_FILE ("${file}"): expected a YAML file, got: ${why}`, { cause: error });
  }
}
