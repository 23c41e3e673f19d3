/** The engine: asked of real interpreters, whose packages are what a test says. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type EngineName, engineNames } from '../../../domain/engines/registry.ts';
import { askEngines as ask, describeEngines, findEngines } from '../../../activities/store/engine.ts';
import { artifactKey } from '../../../activities/store/artifact-store.ts';
import { jobIngredients } from '../../../domain/jobs/job-spec.ts';
import { rejection, temporaryFolder } from '../fixtures.ts';
import { trainerSource, writeEnvironment } from './model-fixtures.ts';

// Interpreters start: tens of milliseconds, seconds where the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

/** What the interpreter says of its engines. */
const askEngines = async (python: string) =>
  (await ask({ python, engineFile: undefined, field: 'CRITIC_PYTHON' }, trainerSource)).engines;

async function keyIn(python: string, name: EngineName): Promise<string> {
  const engine = { name, versions: (await askEngines(python))[name] ?? {} };
  return artifactKey('sft', jobIngredients({ params: {}, seed: 1, trainer: '/code/a', engine }, 'base', {}));
}

const emptyAnswer = `echo '{"schema":1,"engines":{},"missing":{"verl":"no ray"}}'`;

/** An interpreter of a few lines of shell. */
async function script(text: string, mode = 0o755): Promise<string> {
  const path = join(await temporaryFolder(), 'python');
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode });
  return path;
}

describe('the engine', () => {
  it('is the packages that matter to it, and the minor version of Python', async () => {
    const { python } = await writeEnvironment({ torch: '2.11.0+cu128', trl: '0.24.0' });
    const engines = await askEngines(python);
    expect(engines.transformers).toMatchObject({ torch: '2.11.0+cu128', python: expect.stringMatching(/^3\.\d+$/) });
    expect(engines.trl).toMatchObject({ trl: '0.24.0', torch: '2.11.0+cu128' });
    expect(engines.llamafactory).toHaveProperty('llamafactory');
    expect(engines.transformers).not.toHaveProperty('trl');
  });

  it('that was upgraded makes another key, at once; one that was not, the same', async () => {
    const { python, site } = await writeEnvironment({ torch: '2.11.0' });
    const before = await keyIn(python, 'llamafactory');
    expect(await keyIn(python, 'llamafactory')).toBe(before);
    await rename(join(site, 'torch-2.11.0.dist-info'), join(site, 'torch-2.12.0.dist-info'));
    await writeFile(join(site, 'torch-2.12.0.dist-info', 'METADATA'), 'Name: torch\nVersion: 2.12.0\n');
    expect(await keyIn(python, 'llamafactory')).not.toBe(before);
  });

  it('keeps the key of predictions when only LLaMA-Factory changed', async () => {
    const [one, two] = await Promise.all(['0.9.4', '0.9.5'].map((llamafactory) => writeEnvironment({ llamafactory })));
    if (one === undefined || two === undefined) throw new Error('no environments');
    expect(await keyIn(one.python, 'transformers')).toBe(await keyIn(two.python, 'transformers'));
    expect(await keyIn(one.python, 'llamafactory')).not.toBe(await keyIn(two.python, 'llamafactory'));
  });

  it('of another name makes another key, also where the versions are the same', () => {
    const what = { params: {}, seed: 1, trainer: '/code/a' };
    const keys = engineNames.map((name) =>
      artifactKey('sft', jobIngredients({ ...what, engine: { name, versions: {} } }, 'base', {})),
    );
    expect(new Set(keys).size).toBe(engineNames.length);
  });

  it.each([
    ['is not there', '/nowhere/python', /CRITIC_PYTHON \("\/nowhere\/python"\): expected .*, got "no such file"/],
    ['says what it lacks', () => script('echo "numpy not installed" >&2; exit 78'), /exit 78: numpy not installed/],
    ['may not be run', () => script('exit 0', 0o644), /got "a file that may not be run"/],
    ['answers with something else', () => script('echo hello'), /got "hello/],
    ['never stops talking', () => script('exec yes'), /got "ERR_CHILD_PROCESS_STDIO_MAXBUFFER/],
  ])('is refused for good where the interpreter %s', async (_what, python, message) => {
    const path = typeof python === 'string' ? python : await python();
    const error = await rejection(askEngines(path));
    expect(error).toMatchObject({ type: 'ConfigInvalid', nonRetryable: true, message: expect.stringMatching(message) });
  });

  it('is what a file says where the worker cannot run the interpreter; a wrong file is refused by its name', async () => {
    const { python } = await writeEnvironment({ torch: '2.11.0' });
    const answer = await askEngines(python);
    const engineFile = join(await temporaryFolder(), 'engine.json');
    const job = { python: '/only/on/nodes', engineFile };
    expect(await rejection(findEngines(job, trainerSource, ['trl', 'transformers']))).toMatchObject({
      type: 'ConfigInvalid',
      message: expect.stringContaining(`CRITIC_ENGINE_FILE ("${engineFile}")`),
    });
    await writeFile(engineFile, JSON.stringify({ schema: 1, engines: answer }));
    expect(await findEngines(job, trainerSource, ['trl', 'transformers'])).toEqual({
      trl: answer.trl,
      transformers: answer.transformers,
    });
    await writeFile(engineFile, '{}');
    expect(await rejection(findEngines(job, trainerSource, ['trl', 'transformers']))).toMatchObject({
      type: 'ConfigInvalid',
      nonRetryable: true,
    });
  });

  it('is asked again where the interpreter was killed', async () => {
    const error = await rejection(askEngines(await script('kill -9 $$')));
    expect(error).toMatchObject({ type: 'SystemError', nonRetryable: false });
  });

  it('that is there or missing is told to a person who starts a worker, whatever the environments answer', async () => {
    const { python } = await writeEnvironment({});
    const verl = { python, engineFile: undefined, field: 'environments.verl' };
    const vllm = { python: '/nowhere/python', engineFile: undefined, field: 'environments.vllm' };
    const job = {
      python,
      engineFile: undefined,
      environments: { verl: { ...verl, python: await script('exit 3') }, vllm },
    };
    const [usual, broken, nowhere] = await describeEngines(job, trainerSource);
    expect(usual).toBe(`CRITIC_PYTHON ("${python}") has llamafactory, trl, transformers`);
    expect(broken).toMatch(/environments\.verl .*exit 3/);
    expect(nowhere).toMatch(/environments\.vllm .*no such file/);
    const lacking = { ...job, environments: { verl: { ...verl, python: await script(emptyAnswer) } } };
    expect((await describeEngines(lacking, trainerSource))[1]).toMatch(/has no engine; verl is missing: no ray$/);
  });
});
