/** The kept bundle of workflow code: taken while it is that of the sources, built anew otherwise. */
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { bundledRooms, keptBundle, type BundlePlaces } from '../../workers/workflow-bundle.ts';

let places: BundlePlaces;
let built: number;
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'critic-bundle-'));
  places = { sources: folder, cache: join(folder, 'node_modules/.cache/critic') };
  built = 0;
  await mkdir(join(folder, 'workflows'));
  await mkdir(join(folder, 'domain/deep'), { recursive: true });
  for (const file of ['workflows/index.ts', 'domain/a.ts', 'domain/deep/b.ts', 'package-lock.json']) {
    await writeFile(join(folder, file), `// ${file}\n`);
  }
});

const take = async () => (await keptBundle(places, async () => ({ code: `bundle ${(built += 1)}` }))).code;
const keptFiles = async () => (await readdir(places.cache)).filter((name) => name.endsWith('.js'));
const onlyFile = async () => join(places.cache, (await keptFiles())[0] ?? 'none');

describe('the bundle', () => {
  it('is built once for the same sources', async () => {
    expect(await take()).toBe('bundle 1');
    expect(await take()).toBe('bundle 1');
  });

  it.each(['workflows/index.ts', 'domain/a.ts', 'domain/deep/b.ts', 'package-lock.json'])(
    'is built anew when %s has changed, and that of before goes',
    async (file) => {
      await take();
      await writeFile(join(places.sources, file), '// changed\n');
      expect(await take()).toBe('bundle 2');
      expect(await keptFiles()).toHaveLength(1);
    },
  );

  it('is built anew when a file has come or was renamed', async () => {
    await take();
    await writeFile(join(places.sources, 'domain/c.ts'), '');
    expect(await take()).toBe('bundle 2');
  });

  it.each([
    ['was cut short', (text: string) => text.slice(0, -20)],
    ['lost its end', (text: string) => text.slice(0, 5)],
    ['was changed', (text: string) => text.replace('bundle', 'BUNDLE')],
    ['is empty', () => ''],
  ])('is not taken where the file %s', async (_, harm) => {
    await take();
    const file = await onlyFile();
    await writeFile(file, harm(await readFile(file, 'utf8')));
    expect(await take()).toBe('bundle 2');
    expect(await take()).toBe('bundle 2');
  });

  it('of sources that change while it is built is used and not kept', async () => {
    const { code } = await keptBundle(places, async () => {
      await writeFile(join(places.sources, 'domain/a.ts'), '// deployed meanwhile\n');
      return { code: 'mixed' };
    });
    expect(code).toBe('mixed');
    expect(await take()).toBe('bundle 1');
  });

  it('is used all the same where it cannot be kept', async () => {
    await writeFile(join(places.sources, 'node_modules'), 'a file where a folder should be');
    expect(await take()).toBe('bundle 1');
    expect(await take()).toBe('bundle 2');
  });

  it('of a worker that was killed while it kept it is built again', async () => {
    await mkdir(places.cache, { recursive: true });
    await writeFile(join(places.cache, 'workflows-0.js.5f0c.tmp'), 'half');
    expect(await take()).toBe('bundle 1');
    expect(await take()).toBe('bundle 1');
  });
});

const mapSchema = z.object({ sources: z.array(z.string()) });

describe('the real bundle', () => {
  it('has code of no other folder of ours than those whose files its hash covers', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const { code } = await keptBundle();
    const [, map = ''] = /sourceMappingURL=data:[^,]*base64,([A-Za-z0-9+/=]+)/.exec(code) ?? [];
    const { sources } = mapSchema.parse(JSON.parse(Buffer.from(map, 'base64').toString('utf8')));
    const ours = sources.filter((path) => path.startsWith(root) && !path.includes('node_modules'));
    const rooms = new Set(ours.map((path) => path.slice(root.length).split('/')[0]));
    expect(rooms).toEqual(new Set(bundledRooms));
  });
});
