/**
 * Measures what pictures cost: `npm run bench:images`. For a photograph-like picture of one megapixel in each format: CPU
 * milliseconds of the dataset check's decoding, of the copy that a teacher sees (`detail: high`), and its bytes before and
 * after. Then the process's peak memory while four pictures of the largest allowed size are checked at once.
 */
import { readFileSync } from 'node:fs';
import sharp, { type Sharp } from 'sharp';
import { findDecodingFault, readImage, smallerJpeg } from '../../activities/dataset/image.ts';
import { fittedSize } from '../../domain/critique/tokens.ts';

const repeats = 20;
const side = 1000;
const formats: Record<string, (picture: Sharp) => Sharp> = {
  PNG: (picture) => picture.png(),
  JPEG: (picture) => picture.jpeg({ quality: 92 }),
  WebP: (picture) => picture.webp({ quality: 90 }),
};

const photo = await photograph();
for (const [name, encode] of Object.entries(formats)) {
  const bytes = await encode(sharp(photo)).toBuffer();
  const facts = await readImage(bytes);
  if ('fault' in facts) throw new Error(facts.fault);
  const fitted = fittedSize(facts, 'high');
  const decode = await cpuMs(() => findDecodingFault(bytes, facts));
  const shrink = await cpuMs(() => smallerJpeg(bytes, facts, fitted));
  const made = await smallerJpeg(bytes, facts, fitted);
  console.log(
    `${name} ${side} x ${side}: decoded in ${decode.toFixed(1)} ms of CPU; sent as ${fitted.width} x ${fitted.height} ` +
      `JPEG in ${shrink.toFixed(1)} ms, ${bytes.length} bytes before, ${made?.length} after`,
  );
}
const huge = await sharp({ create: { width: 8000, height: 6250, channels: 3, background: '#987' } })
  .webp({ effort: 0 })
  .toBuffer();
const facts = await readImage(huge);
if ('fault' in facts) throw new Error(facts.fault);
const before = peakMiB();
await Promise.all(Array.from({ length: 4 }, () => findDecodingFault(huge, facts)));
console.log(`four WebP of ${facts.width} x ${facts.height} at once: peak ${peakMiB()} MiB, ${before} MiB before`);

/** Soft shapes with fine noise: compresses about as a photograph does. */
async function photograph(): Promise<Buffer> {
  const layer = (sigma: number) =>
    sharp({
      create: {
        width: side,
        height: side,
        channels: 3,
        background: '#888',
        noise: { type: 'gaussian', mean: 128, sigma },
      },
    });
  const fine = await layer(8).png().toBuffer();
  const soft = await layer(60).blur(3).png().toBuffer();
  return sharp(soft)
    .composite([{ input: fine, blend: 'soft-light' }])
    .removeAlpha()
    .png()
    .toBuffer();
}

/** CPU milliseconds of one call, all threads, mean of `repeats` after one to warm up. */
async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  await work();
  const start = process.cpuUsage();
  for (let i = 0; i < repeats; i += 1) await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000 / repeats;
}

/** The most memory this process ever held, MiB. */
function peakMiB(): number {
  const [, kib = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}
