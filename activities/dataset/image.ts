/**
 * Image: what a PNG, JPEG or WebP is, whether all of it decodes, and a smaller copy of it, by sharp (libvips). It reads only buffers, and no
 * other format: the loaders of SVG, TIFF, PDF and the rest are blocked in the whole process.
 *
 * Memory is bounded. PNG and baseline JPEG stream through. What is decoded as a whole (WebP, progressive JPEG, interlaced PNG: up to 8 bytes
 * a pixel) has at most `maxPixels`, and pictures above `largePixels` are taken one at a time. The header of a decompression bomb gives it
 * away. JPEG and WebP have no checksum, so a flipped bit within their pixels is not seen. Pixels are taken as stored, as the trainer does:
 * an EXIF orientation is not applied.
 */
import pLimit from 'p-limit';
import sharp from 'sharp';
import type { Size } from '../../domain/critique/tokens.ts';
import { findTextBomb } from './png-text.ts';

export type ImageKind = 'png' | 'jpeg' | 'webp';
export type ImageFacts = Size & { kind: ImageKind };
export interface Image {
  kind: ImageKind;
  bytes: Buffer;
}

export const maxPixels = 50_000_000;
const largePixels = 4_000_000;
const kinds: readonly ImageKind[] = ['png', 'jpeg', 'webp'];
/**
 * `error` and not `warning`: PNGs with a wrong colour profile and JPEGs with stray bytes give warnings, and every decoder shows them. Limits on
 * pixels are checked here, so that a fault can say the size.
 */
const strict = { failOn: 'error', limitInputPixels: false, sequentialRead: true } as const;

// For this process: no cache, since hardly a picture is read twice, and one thread for each picture, since several are worked on at once.
sharp.cache(false);
sharp.concurrency(1);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['VipsForeignLoadPngBuffer', 'VipsForeignLoadJpegBuffer', 'VipsForeignLoadWebpBuffer'],
});
const large = pLimit(1);

/** Kind and size by the header, or a fragment on what is wrong: "a PNG of 30000 x 30000 pixels, …". It decodes no pixels and inflates texts. */
export async function readImage(bytes: Buffer): Promise<ImageFacts | { fault: string }> {
  if (bytes.length === 0) return { fault: 'an empty file' };
  const read = await attempt(() => sharp(bytes, strict).metadata());
  if (read === undefined) return { fault: 'no PNG, JPEG or WebP with a whole header' };
  const { format, width, height, pages = 1 } = read;
  const kind = kinds.find((one) => one === format);
  if (kind === undefined) return { fault: `no PNG, JPEG or WebP but "${format}"` };
  if (width * height > maxPixels) {
    return { fault: `a ${kind.toUpperCase()} of ${width} x ${height} pixels, more than ${maxPixels / 1e6} million` };
  }
  // The API refuses animations, and a critic would see only the first frame.
  if (pages > 1) return { fault: `a ${kind.toUpperCase()} of ${pages} frames` };
  const bomb = kind === 'png' ? await findTextBomb(bytes) : undefined;
  if (bomb !== undefined) return { fault: bomb };
  return { kind, width, height };
}

/** Decodes every pixel of an image with these facts and keeps none. Undefined, or a fragment on what is wrong. */
export async function findDecodingFault(
  bytes: Buffer,
  { kind, width, height }: ImageFacts,
): Promise<string | undefined> {
  // Only the last row: a sequential decoder must go through all others to get there, and keeps none of them.
  const lastRow = { left: 0, top: height - 1, width, height: 1 };
  const read = await gated(width * height, () => attempt(() => sharp(bytes, strict).extract(lastRow).raw().toBuffer()));
  return read === undefined ? `a ${kind.toUpperCase()} that is cut off or damaged` : undefined;
}

/**
 * A smaller copy: a JPEG of quality 95 with whole chroma (4:4:4) and transparency on white. It has a fifth of PNG's bytes. Halved chroma would
 * blur the artefacts that a critic must see. Huffman tables are the standard ones: optimised ones take half as much CPU again and save a
 * twentieth of the bytes. Undefined if the bytes do not decode.
 */
export async function smallerJpeg(bytes: Buffer, from: Size, to: Size): Promise<Buffer | undefined> {
  return gated(from.width * from.height, () =>
    attempt(() =>
      sharp(bytes, strict)
        .resize(to.width, to.height, { fit: 'fill', fastShrinkOnLoad: false })
        .flatten({ background: '#fff' })
        .jpeg({ quality: 95, chromaSubsampling: '4:4:4', optimiseCoding: false })
        .toBuffer(),
    ),
  );
}

/** `data:` URL of an image. */
export function dataUrl({ kind, bytes }: Image): string {
  return dataUrlStart(kind) + bytes.toString('base64');
}

/** What comes before the base64. */
export function dataUrlStart(kind: ImageKind): string {
  return `data:image/${kind};base64,`;
}

function gated<T>(pixels: number, work: () => Promise<T>): Promise<T> {
  return pixels > largePixels ? large(work) : work();
}

/**
 * Undefined if libvips rejects. It gets only buffers, so the bytes are the reason. Its words are not passed on: they come from one list of the
 * whole process and may be about another picture.
 */
async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TypeError) throw error;
    return undefined;
  }
}
