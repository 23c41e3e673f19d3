/** The environments file of a worker: real files, what they give, and how a wrong one is refused. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readEnvironments } from '../../workers/environments.ts';
import { rejection, temporaryFolder } from '../activities/fixtures.ts';

async function read(text: string) {
  const file = join(await temporaryFolder(), 'environments.yaml');
  await writeFile(file, text);
  return readEnvironments({ CRITIC_ENVIRONMENTS_FILE: file, CRITIC_STORE: '/shared/critic' });
}

describe('the environments file', () => {
  it('need not be there: all engines are in CRITIC_PYTHON then', async () => {
    expect(await readEnvironments({ CRITIC_ENVIRONMENTS_FILE: undefined, CRITIC_STORE: '/s' })).toEqual({});
  });

  it('names an interpreter, or one in an image, in which the store is seen too', async () => {
    const text = `environments:
  verl: { python: /envs/verl/bin/python, engine_file: /envs/verl.json }
  vllm: { python: /usr/bin/python3, image: /images/vllm.sif, binds: [/models, /shared/critic] }
`;
    expect(await read(text)).toEqual({
      verl: {
        field: 'environments.verl',
        python: '/envs/verl/bin/python',
        image: undefined,
        engineFile: '/envs/verl.json',
      },
      vllm: {
        field: 'environments.vllm',
        python: '/usr/bin/python3',
        image: { path: '/images/vllm.sif', binds: ['/shared/critic', '/models'] },
        engineFile: undefined,
      },
    });
  });

  it.each([
    [
      'an engine that there is not',
      'environments: { verrl: { python: /p } }',
      /^ {2}environments\.verrl: unknown key, expected engines \(llamafactory, .*vllm.*\)$/m,
    ],
    [
      'an interpreter in place of a mapping',
      'environments: { verl: /p }',
      /^ {2}environments\.verl: expected a mapping of python, image, binds, engine_file, got "\/p"$/m,
    ],
    ['nothing', '', /^ {2}the file: expected a mapping of "environments", got null$/m],
    [
      'a path that is not absolute',
      'environments: { verl: { python: bin/python } }',
      /verl\.python: expected an absolute path, got "bin\/python"/,
    ],
    [
      'a key that there is not',
      'environments: { verl: { python: /p, imag: /i } }',
      /environments\.verl\.imag: unknown key/,
    ],
    [
      'binds without an image',
      'environments: { verl: { python: /p, binds: [/m] } }',
      /verl\.binds: expected no binds without an image/,
    ],
    [
      'a bind that apptainer would cut in two',
      'environments: { verl: { python: /p, image: /i, binds: ["/m,/n"] } }',
      /without "," and ":"/,
    ],
    ['something else than YAML', 'environments: [', /expected a YAML file, got/],
    ['no environments', 'verl: {}', /^ {2}verl: unknown key, expected "environments"$/m],
  ])('with %s is refused by name', async (_what, text, message) => {
    expect(String(await rejection(read(text)))).toMatch(message);
  });

  it('that is not there is refused by name', async () => {
    const reading = readEnvironments({ CRITIC_ENVIRONMENTS_FILE: '/nowhere/e.yaml', CRITIC_STORE: '/s' });
    expect(String(await rejection(reading))).toMatch(/CRITIC_ENVIRONMENTS_FILE \("\/nowhere\/e.yaml"\): .*ENOENT/);
  });
});
