/**
 * Files of the local worker: environments, limits, channels. They are checked before anything is stopped, so a faulty one costs no worker. What one
 * `critic local up` was given holds for the next one too, since another shell need not name it; a variable that is set to nothing drops its file.
 *
 * kill -9 while they are kept: the record is replaced by one rename, so it is the old one or the new one.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { readChannels } from '../../input/channels-file.ts';
import { readLimits } from '../../input/limits-file.ts';
import { readEnvironments } from '../../workers/environments.ts';
import { folders, type StackConfig } from './stack-config.ts';

const variables = {
  environmentsFile: 'CRITIC_ENVIRONMENTS_FILE',
  limitsFile: 'CRITIC_LIMITS_FILE',
  channelsFile: 'CRITIC_CHANNELS_FILE',
} as const;
type WorkerFile = keyof typeof variables;
const names: readonly WorkerFile[] = ['environmentsFile', 'limitsFile', 'channelsFile'];

const recordSchema = z.partialRecord(z.enum(names), z.string());

/** The config with the files that hold now. Throws one error that names the file and what is wrong with it. */
export async function withWorkerFiles(config: StackConfig, say: (line: string) => void): Promise<StackConfig> {
  const path = join(folders(config).local, 'worker-files.json');
  const before = recordOf(path);
  const { environmentsFile: _e, limitsFile: _l, channelsFile: _c, ...rest } = config;
  const files: Partial<Record<WorkerFile, string>> = {};
  for (const name of names) {
    const said = config[name];
    const file = said ?? before[name];
    if (file === undefined || file === '') continue;
    files[name] = resolve(file);
    if (said === undefined) say(`worker: ${variables[name]} stays "${file}"; set to nothing, it is dropped`);
  }
  await check(config, files);
  writeFileSync(`${path}.tmp`, JSON.stringify(files));
  renameSync(`${path}.tmp`, path);
  return { ...rest, ...files };
}

async function check(config: StackConfig, files: Partial<Record<WorkerFile, string>>): Promise<void> {
  const { environmentsFile, limitsFile, channelsFile } = files;
  if (limitsFile !== undefined) await readLimits(limitsFile);
  if (channelsFile !== undefined) await readChannels(channelsFile);
  await readEnvironments({ CRITIC_ENVIRONMENTS_FILE: environmentsFile, CRITIC_STORE: folders(config).store });
}

/** Empty where there is none, or one that cannot be read: then the variables alone count. */
function recordOf(path: string): z.output<typeof recordSchema> {
  if (!existsSync(path)) return {};
  try {
    return recordSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data ?? {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
