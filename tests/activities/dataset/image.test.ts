import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { dataUrl, findDecodingFault, maxPixels, readImage, smallerJpeg } from '../../../activities/dataset/image.ts';
import { pngOf } from '../fixtures.ts';

const noise = (width: number, height: number) =>
  sharp({
    create: { width, height, channels: 3, background: '#888', noise: { type: 'gaussian', mean: 128, sigma: 30 } },
  });
const pictures = {
  png: await noise(120, 80).png().toBuffer(),
  interlaced: await noise(120, 80).png({ progressive: true }).toBuffer(),
  jpeg: await noise(120, 80).jpeg().toBuffer(),
  progressive: await noise(120, 80).jpeg({ progressive: true }).toBuffer(),
  webp: await noise(120, 80).webp().toBuffer(),
  lossless: await noise(120, 80).webp({ lossless: true }).toBuffer(),
};

const animation = await sharp([pictures.png, pictures.interlaced], { join: { animated: true } })
  .webp()
  .toBuffer();

/** Header and pixels: undefined, or what is wrong. */
async function faultOf(bytes: Buffer): Promise<string | undefined> {
  const facts = await readImage(bytes);
  return 'fault' in facts ? facts.fault : findDecodingFault(bytes, facts);
}

describe('an image', () => {
  it.each(Object.entries(pictures))('as %s is read and decodes', async (name, bytes) => {
    const kind = name === 'progressive' ? 'jpeg' : name === 'interlaced' ? 'png' : name === 'lossless' ? 'webp' : name;
    expect(await readImage(bytes)).toEqual({ kind, width: 120, height: 80 });
    expect(await faultOf(bytes)).toBeUndefined();
  });

  it.each(Object.entries(pictures))('as %s is at fault when the end of its pixels is missing', async (_name, bytes) => {
    expect(await faultOf(bytes.subarray(0, Math.floor(bytes.length * 0.9)))).toMatch(
      /is cut off or damaged|with a whole header/,
    );
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'an empty file'],
    ['text', Buffer.from('hello, I am not an image'), 'no PNG, JPEG or WebP with a whole header'],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 'with a whole header'],
    ['GIF', Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64'), 'with a whole header'],
    ['a flipped bit in a PNG', Buffer.from(pictures.png).fill(1, 900, 901), 'a PNG that is cut off or damaged'],
    [
      'a whole container around too few pixels',
      pngOf(64, 64, deflateSync(Buffer.alloc(99))),
      'a PNG that is cut off or damaged',
    ],
    ['pixels that are no deflate stream', pngOf(8, 8, Buffer.from('hello')), 'a PNG that is cut off or damaged'],
    ['an animation', animation, 'a WEBP of 2 frames'],
    ['no height', pngOf(8, 0, deflateSync(Buffer.alloc(9))), 'no PNG, JPEG or WebP with a whole header'],
    [
      'a decompression bomb',
      pngOf(100_000, 100_000, deflateSync(Buffer.alloc(10_000_000))),
      `a PNG of 100000 x 100000 pixels, more than ${maxPixels / 1e6} million`,
    ],
  ])('of %s is a fault, no crash', async (_name, bytes, fault) => {
    expect(await faultOf(bytes)).toContain(fault);
  });
});

describe('a smaller copy', () => {
  it('is a JPEG of the asked size with whole chroma and white where the picture was transparent', async () => {
    const half = Buffer.alloc(100 * 60 * 4);
    const bytes = await sharp(half, { raw: { width: 100, height: 60, channels: 4 } })
      .png()
      .toBuffer();
    const made = await smallerJpeg(bytes, { width: 100, height: 60 }, { width: 50, height: 30 });
    const { format, width, height, chromaSubsampling } = await sharp(made).metadata();
    expect({ format, width, height, chromaSubsampling }).toEqual({
      format: 'jpeg',
      width: 50,
      height: 30,
      chromaSubsampling: '4:4:4',
    });
    expect([...(await sharp(made).raw().toBuffer())].every((value) => value === 255)).toBe(true);
  });

  it('of what does not decode is none', async () => {
    const cut = pictures.png.subarray(0, 500);
    expect(await smallerJpeg(cut, { width: 120, height: 80 }, { width: 12, height: 8 })).toBeUndefined();
  });

  it('has a data URL', () => {
    expect(dataUrl({ kind: 'webp', bytes: Buffer.from([1, 2, 3]) })).toBe('data:image/webp;base64,AQID');
  });
});
