import { describe, expect, it } from 'vitest';
import { readImage } from '../../activities/image-header.ts';
import { png } from './fixtures.ts';

const webp = (coding: string, rest: string) => {
  const body = Buffer.from(`${Buffer.from(`WEBP${coding}`, 'latin1').toString('hex')}${rest}`, 'hex');
  const head = Buffer.from('RIFF\0\0\0\0', 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
};

describe('image headers', () => {
  const jpeg = Buffer.from(
    'ffd8ffe000104a46494600010100000100010000ffc0000b080010002001011100ffda0008010100003f00aaffd9',
    'hex',
  );
  it.each([
    ['a PNG', png(3, 5), { kind: 'png', width: 3, height: 5 }],
    [
      'a PNG with a flipped bit',
      Buffer.from(png(3, 5)).fill(1, 45, 46),
      { fault: 'a PNG whose IDAT chunk is damaged' },
    ],
    ['a JPEG', jpeg, { kind: 'jpeg', width: 32, height: 16 }],
    ['a JPEG without its end', jpeg.subarray(0, -2), { fault: 'a JPEG that is cut off' }],
    [
      'a lossy WebP',
      webp('VP8 ', '0e000000300100 9d012a 2000 1000 0000'.replaceAll(' ', '')),
      { kind: 'webp', width: 32, height: 16 },
    ],
    ['a lossless WebP', webp('VP8L', '0a0000002f1fc00300000000000000'), { kind: 'webp', width: 32, height: 16 }],
    ['an extended WebP', webp('VP8X', '0a000000000000001f00000f0000'), { kind: 'webp', width: 32, height: 16 }],
    ['an empty file', Buffer.alloc(0), { fault: 'an empty file' }],
    ['text', Buffer.from('hello, I am not an image'), { fault: 'no PNG, JPEG or WebP signature' }],
  ])('reads %s', (_name, bytes, expected) => {
    expect(readImage(bytes)).toEqual(expected);
  });
});
