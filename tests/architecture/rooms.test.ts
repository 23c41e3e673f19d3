import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { failures } from '../../domain/failures.ts';
import { environment, nodeFlags } from '../../workers/process-settings.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function sources(folder: string): string[] {
  const files = readdirSync(root + folder, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.ts')).map((file) => `${folder}/${file}`);
}

function imports(file: string): string[] {
  return [...readFileSync(root + file, 'utf8').matchAll(/^(?:import|export) (?!type)[^;]*?from '([^']+)';/gms)].map(
    (match) => match[1] ?? '',
  );
}

/** Does a relative import of this file end up in the room? A package's name does not leave it. */
function staysIn(room: string, file: string, name: string): boolean {
  return !name.startsWith('.') || join(dirname(file), name).startsWith(`${room}/`);
}

describe('the rooms', () => {
  it.each(sources('domain'))('%s imports nothing but the domain, and zod where that is allowed', (file) => {
    const zod = /^domain\/(?:recipe(?:\/[\w-]+)?|plan|manifest)\.ts$/.test(file) ? '|^zod$' : '';
    const allowed = new RegExp(`^\\.\\.?/(?:[\\w-]+/)*[\\w-]+\\.ts$${zod}`);
    expect(imports(file).filter((name) => !allowed.test(name) || !staysIn('domain', file, name))).toEqual([]);
  });

  it.each(sources('domain'))(
    '%s neither asks the clock nor loads anything while it runs, which lint does not see',
    (file) => {
      expect(readFileSync(root + file, 'utf8')).not.toMatch(/\bnew Date\(\)|(?<!new )\bDate\(|\bimport\(|\bimport '/);
    },
  );

  it.each(sources('workflows'))('%s imports domain and @temporalio/workflow, of activities the types alone', (file) => {
    const outside = imports(file).filter((name) =>
      name.startsWith('.')
        ? !/^(?:\.\.\/)+domain\//.test(name) && !staysIn('workflows', file, name)
        : !/^@temporalio\/(workflow|common)$/.test(name),
    );
    expect(outside).toEqual([]);
  });

  it.each(sources('activities'))('%s imports its own room, domain, files and what does the I/O', (file) => {
    const allowed =
      /^\.\.?\/(?!.*(?:workflows|workers|cli|infra)\/)|^node:|^@temporalio\/(activity|common)$|^(slurm-rest-client|openai|csv-parse|undici|sharp|zod|p-limit|hyparquet|hyparquet-compressors|nodemailer|standardwebhooks)(\/|$)/;
    expect(imports(file).filter((name) => !allowed.test(name))).toEqual([]);
  });

  it.each(sources('files'))('%s imports node:* alone', (file) => {
    expect(imports(file).filter((name) => !/^node:|^\.\//.test(name))).toEqual([]);
  });

  it.each(sources('input'))('%s imports domain, files, yaml and zod', (file) => {
    const outside = imports(file).filter((name) =>
      name.startsWith('.')
        ? !/^(?:\.\.\/)+(?:domain|files)\//.test(name) && !staysIn('input', file, name)
        : !/^node:|^(yaml|zod)$/.test(name),
    );
    expect(outside).toEqual([]);
  });

  it.each(sources('cli'))(
    '%s imports domain, files, input, messages of workflows; demo and local the stack too',
    (file) => {
      const stack = /^cli\/commands\/(demo|local)\.ts$/.test(file) ? '|infra/local' : '';
      const rooms = new RegExp(`^(?:\\.\\./)+(?:domain|files|input|workflows/messages\\.ts${stack})`);
      const packages =
        /^node:|^@temporalio\/(client|common)$|^(commander|protobufjs|send|yaml|zod|@bomb\.sh\/tab)(\/|$)/;
      const outside = imports(file).filter((name) =>
        name.startsWith('.') ? !rooms.test(name) && !staysIn('cli', file, name) : !packages.test(name),
      );
      expect(outside).toEqual([]);
    },
  );

  it.each(sources('packages/slurm-rest-client/src'))('%s knows nothing of this repository', (file) => {
    expect(imports(file).filter((name) => /domain|activities|workflows|temporal/.test(name))).toEqual([]);
  });

  it('reads the environment in workers/config, the CLI and infra only', () => {
    const readers = [
      ...sources('domain'),
      ...sources('activities'),
      ...sources('workflows'),
      ...sources('workers'),
      ...sources('input'),
    ].filter((file) => readFileSync(root + file, 'utf8').includes('process.env'));
    expect(readers).toEqual(['workers/main.ts']);
  });

  it('makes failures in one file of a room, each type of the table somewhere', () => {
    const rooms = [...sources('activities'), ...sources('workflows')];
    const texts = rooms.map((file) => [file, readFileSync(root + file, 'utf8')] as const);
    const doors = texts.filter(([, text]) => text.includes('oxlint-disable-next-line no-restricted-imports'));
    expect(doors.map(([file]) => file)).toEqual(['activities/failure.ts', 'workflows/failure.ts']);
    const unmade = Object.keys(failures).filter((type) => !texts.some(([, text]) => text.includes(`'${type}'`)));
    expect(unmade).toEqual([]);
  });

  it('starts the worker by npm as the local stack does', () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readFileSync(`${root}package.json`, 'utf8')));
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    expect(scripts['worker']).toBe([...variables, 'node', ...nodeFlags, 'workers/main.ts'].join(' '));
  });

  it('bundles the workflows without zod', async () => {
    const { code } = await bundleWorkflowCode({ workflowsPath: `${root}workflows/index.ts` });
    expect(code.length).toBeGreaterThan(100_000);
    expect(code).not.toContain('ZodError');
  }, 60_000);
});
