/**
 * Image header: is this buffer a whole PNG, JPEG or WebP, and how large is the picture? Read without a native decoder:
 * signature, dimensions, and the container's own proof that nothing is cut off (PNG: every chunk's CRC up to IEND; JPEG:
 * frame header and end marker; WebP: RIFF length). It does not decompress pixels.
 */
import { crc32 } from 'node:zlib';

export type ImageKind = 'png' | 'jpeg' | 'webp';
export type ImageFacts = { kind: ImageKind; width: number; height: number };

/** Facts of a picture, or a sentence fragment on what is wrong with it. */
export function readImage(bytes: Buffer): ImageFacts | { fault: string } {
  const facts = readKnown(bytes);
  if ('fault' in facts) return facts;
  if (facts.width === 0 || facts.height === 0) return { fault: `a ${facts.kind} without pixels` };
  return facts;
}

/** MIME type for a data URL. */
export function mimeType(kind: ImageKind): string {
  return `image/${kind}`;
}

function readKnown(bytes: Buffer): ImageFacts | { fault: string } {
  if (bytes.length === 0) return { fault: 'an empty file' };
  if (bytes.subarray(0, 8).equals(pngSignature)) return readPng(bytes);
  if (bytes.length > 3 && bytes.readUInt16BE(0) === 0xff_d8) return readJpeg(bytes);
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP') return readWebp(bytes);
  return { fault: 'no PNG, JPEG or WebP signature' };
}

const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** PNG (W3C PNG §5): chunks of length, type, data, CRC over type and data. IHDR is first, IEND last. */
function readPng(bytes: Buffer): ImageFacts | { fault: string } {
  let size: { width: number; height: number } | undefined;
  let hasData = false;
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const end = at + 12 + length;
    if (end > bytes.length) break;
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (crc32(bytes.subarray(at + 4, end - 4)) !== bytes.readUInt32BE(end - 4)) {
      return { fault: `a PNG whose ${type} chunk is damaged` };
    }
    if (type === 'IHDR' && length >= 8)
      size = { width: bytes.readUInt32BE(at + 8), height: bytes.readUInt32BE(at + 12) };
    if (type === 'IDAT') hasData = true;
    if (type === 'IEND') return size && hasData ? { kind: 'png', ...size } : { fault: 'a PNG without a picture' };
    at = end;
  }
  return { fault: 'a PNG that is cut off' };
}

/** JPEG (ITU T.81 annex B): walk the segments to the frame header; the file ends with EOI, perhaps padded by zeros. */
function readJpeg(bytes: Buffer): ImageFacts | { fault: string } {
  let at = 2;
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) return { fault: 'a JPEG with a damaged header' };
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1;
    } else if (isFrameHeader(marker)) {
      const facts = { kind: 'jpeg' as const, height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
      return endsWithMarker(bytes) ? facts : { fault: 'a JPEG that is cut off' };
    } else {
      at += 2 + bytes.readUInt16BE(at + 2);
    }
  }
  return { fault: 'a JPEG that is cut off' };
}

/** SOF0–SOF15 without DHT (C4), JPG (C8) and DAC (CC). */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function endsWithMarker(bytes: Buffer): boolean {
  let end = bytes.length;
  while (end > 2 && bytes[end - 1] === 0) end -= 1;
  return bytes[end - 2] === 0xff && bytes[end - 1] === 0xd9;
}

/** WebP (RFC 9649): the first chunk names the coding; each stores the dimensions in its own way. */
function readWebp(bytes: Buffer): ImageFacts | { fault: string } {
  if (bytes.length < 30 || bytes.readUInt32LE(4) + 8 > bytes.length) return { fault: 'a WebP that is cut off' };
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8 ':
      return { kind: 'webp', width: bytes.readUInt16LE(26) & 0x3f_ff, height: bytes.readUInt16LE(28) & 0x3f_ff };
    case 'VP8L': {
      const bits = bytes.readUInt32LE(21);
      return { kind: 'webp', width: (bits & 0x3f_ff) + 1, height: ((bits >>> 14) & 0x3f_ff) + 1 };
    }
    case 'VP8X':
      return { kind: 'webp', width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    default:
      return { fault: 'a WebP of unknown coding' };
  }
}
