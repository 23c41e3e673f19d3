/** A dataset of pairs with two 1-MP pictures each. A few pictures under many names: what is measured does not look at them. */
import { link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { seededRandom } from '../../domain/evaluation/seeded-random.ts';

const distinct = 16;
const side = 1024;

/** Writes `rows` training pairs (and one each of dev and test) below `folder`; returns the bytes of all pictures. */
export async function writeDataset(folder: string, rows: number): Promise<number> {
  await mkdir(join(folder, 'images'), { recursive: true });
  const pictures: { path: string; bytes: number }[] = [];
  for (let i = 0; i < distinct; i += 1) {
    const path = join(folder, `picture-${i}.jpg`);
    const image = await sharp(pixels(i), { raw: { width: side, height: side, channels: 3 } })
      .jpeg({ quality: 90 })
      .toBuffer();
    await writeFile(path, image);
    pictures.push({ path, bytes: image.length });
  }
  let bytes = 0;
  const lines: string[] = [];
  for (let i = 0; i < rows + 2; i += 1) {
    const names = [`images/s${i}.jpg`, `images/e${i}.jpg`] as const;
    for (const [which, name] of names.entries()) {
      const picture = pictures[(i * 2 + which) % distinct];
      if (picture === undefined) throw new Error('no pictures');
      await link(picture.path, join(folder, name));
      bytes += picture.bytes;
    }
    const split = i < rows ? 'train' : i === rows ? 'dev' : 'test';
    lines.push(
      JSON.stringify({
        id: `p${i}`,
        source_id: `s${i}`,
        split,
        instruction: `replace object number ${i} by another one and leave everything else as it is`,
        source_image: names[0],
        edited_image: names[1],
        mos: { overall: 3, alignment: 3, fidelity: 3, quality: 3 },
        method: 'bench',
      }),
    );
  }
  await writeFile(join(folder, 'pairs.jsonl'), `${lines.join('\n')}\n`);
  return bytes;
}

/** Waves and some noise: as hard to compress as a photograph (some 300 KB as a JPEG). */
function pixels(seed: number): Buffer {
  const random = seededRandom(seed + 1);
  const data = Buffer.alloc(side * side * 3);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const wave = 128 + 60 * Math.sin((x * (seed + 3)) / 97) + 40 * Math.cos((y * (seed + 5)) / 61);
      for (let c = 0; c < 3; c += 1) data[(y * side + x) * 3 + c] = Math.min(255, wave + c * 8 + random() * 18);
    }
  }
  return data;
}
