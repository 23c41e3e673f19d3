/**
 * What `npm pack` gives, used as a stranger would: unpacked below node_modules of a project outside the repository, run as
 * JavaScript by Node and read by a strict TypeScript. undici and zod are linked from the repository, so nothing is downloaded.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, scriptedServer } from './scripted-server.ts';

const run = promisify(execFile);
const source = fileURLToPath(new URL('../..', import.meta.url));
const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url));
const env = {
  ...process.env,
  PATH: [join(modules, '.bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
};
let folder = '';
const project = () => join(folder, 'project');
const installed = () => join(project(), 'node_modules/slurm-rest-client');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slurm-rest-client-'));
  // A copy is packed: packing rewrites package.json for a moment, and the other tests import the package.
  const copy = join(folder, 'copy');
  await cp(source, copy, { recursive: true, filter: (path) => !/\/(dist|node_modules)$/.test(path) });
  await symlink(modules, join(copy, 'node_modules'));
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: copy, env });
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? 'no tarball';
  await mkdir(installed(), { recursive: true });
  await run('tar', ['-xzf', join(folder, tarball), '--strip-components=1', '-C', installed()]);
  for (const name of ['undici', 'zod', '@types', 'undici-types']) {
    await symlink(join(modules, name), join(project(), 'node_modules', name));
  }
}, 60_000);
afterAll(async () => rm(folder, { recursive: true }));

test('the tarball holds code, types, source and papers, and nothing else', async () => {
  expect((await readdir(installed())).toSorted()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
    'src',
  ]);
  const manifest: unknown = JSON.parse(await readFile(join(installed(), 'package.json'), 'utf8'));
  expect(manifest).toMatchObject({
    types: './dist/index.d.ts',
    dependencies: { undici: expect.any(String), zod: expect.any(String) },
  });
  expect(manifest).not.toHaveProperty('scripts');
});

test('the example of the README runs as JavaScript', async () => {
  const server = await scriptedServer(({ url }, response) => {
    if (url.endsWith('/ping/') && !url.includes('v0.0.42')) return void response.writeHead(404).end('no such path');
    if (url.endsWith('/ping/')) return json(response, 200, { pings: [], errors: [] });
    if (url.endsWith('/job/submit')) return json(response, 200, { job_id: 41, errors: [], warnings: [] });
    return json(response, 200, { jobs: [{ job_id: 41, job_state: ['COMPLETED'] }], errors: [] });
  });
  const blocks = [...(await readFile(join(installed(), 'README.md'), 'utf8')).matchAll(/```js\n(.*?)```/gs)];
  const [use = '', job = ''] = blocks.map((block) => block[1] ?? '');
  const [imports = '', ...lines] = use.split('\n');
  const text = [imports, job, ...lines, 'console.log(jobId, isTerminal(job2), job2.state); await slurm.close();'].join(
    '\n',
  );
  const example = text
    .replace('http://127.0.0.1:6820', server.url)
    .replace("['scontrol', 'token', 'lifespan=600']", "['echo', 'SLURM_JWT=a-token']")
    .replace('const job = await', 'const job2 = await');
  await writeFile(join(project(), 'example.mjs'), example);
  try {
    const { stdout } = await run(process.execPath, ['example.mjs'], { cwd: project() });
    expect(stdout).toBe('41 true COMPLETED\n');
  } finally {
    await server.close();
  }
});

test('its types hold in a strict project', { timeout: 60_000 }, async () => {
  const lines = [
    "import { SlurmClient, staticToken, SlurmError, type SlurmJob, type Delivery } from 'slurm-rest-client';",
    "const slurm = new SlurmClient({ baseUrl: 'http://x', auth: { userName: 'a', token: staticToken('t') } });",
    "export const job: SlurmJob | undefined = await slurm.getJob('1');",
    'export const fate = (error: unknown): Delivery | undefined => (error instanceof SlurmError ? error.delivery : undefined);',
    '// @ts-expect-error a submission needs more than a name',
    "void slurm.submit({ name: 'x' });",
  ];
  await writeFile(join(project(), 'use.mts'), lines.join('\n'));
  const options = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node', 'use.mts'];
  await expect(run('tsc', options, { cwd: project(), env })).resolves.toMatchObject({ stdout: '' });
});
