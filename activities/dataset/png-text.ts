/**
 * PNG text: the size of a PNG's compressed texts (zTXt, iTXt, and the colour profile, iCCP) when they are inflated. A few kilobytes can hold
 * gigabytes. libvips ignores them. Pillow refuses such a picture, and Pillow reads it in the trainer and in some teachers. Chunks are those
 * of the PNG specification (third edition, 11.3). The limits are Pillow's (PngImagePlugin).
 */
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { hasCode } from '../store/durable-file.ts';

/** Pillow's MAX_TEXT_CHUNK and MAX_TEXT_MEMORY. */
const maxTextBytes = 1024 * 1024;
const maxTextsBytes = 64 * maxTextBytes;
const signatureBytes = 8;
/** Length, type and checksum. */
const frameBytes = 12;
const inflated = promisify(inflate);

/** A fragment on a text that is too long, or undefined. The bytes are a PNG's. Damage in them is checked elsewhere. */
export async function findTextBomb(png: Buffer): Promise<string | undefined> {
  let total = 0;
  for (let at = signatureBytes; at + frameBytes <= png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    const bytes = await textBytes(type, png.subarray(at + 8, at + 8 + length));
    if (bytes > maxTextBytes) return `a PNG whose ${type} chunk inflates to more than ${maxTextBytes} bytes`;
    total += bytes;
    if (total > maxTextsBytes) return `a PNG whose texts have more than ${maxTextsBytes} bytes`;
    at += length + frameBytes;
  }
  return undefined;
}

/** Bytes of a chunk's compressed text when inflated. 0 for any other chunk. A text that is too long is not inflated to its end. */
async function textBytes(type: string, data: Buffer): Promise<number> {
  const compressed = compressedPart(type, data);
  if (compressed === undefined) return 0;
  try {
    return (await inflated(compressed, { maxOutputLength: maxTextBytes })).length;
  } catch (error) {
    if (hasCode(error, 'ERR_BUFFER_TOO_LARGE')) return maxTextBytes + 1;
    // It is no deflate stream. Pillow takes the text as empty.
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) return 0;
    throw error;
  }
}

function compressedPart(type: string, data: Buffer): Buffer | undefined {
  const keywordEnd = data.indexOf(0);
  if (keywordEnd === -1) return undefined;
  if (type === 'zTXt' || type === 'iCCP') return data.subarray(keywordEnd + 2);
  if (type !== 'iTXt' || data[keywordEnd + 1] !== 1) return undefined;
  const languageEnd = data.indexOf(0, keywordEnd + 3);
  const translationEnd = languageEnd === -1 ? -1 : data.indexOf(0, languageEnd + 1);
  return translationEnd === -1 ? undefined : data.subarray(translationEnd + 1);
}
