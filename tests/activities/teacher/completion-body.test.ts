import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { completionBody, completionStream, type TeacherQuestion } from '../../../activities/teacher/completion-body.ts';
import { dataUrl } from '../../../activities/dataset/image.ts';

const question: TeacherQuestion = {
  model: 'gpt-4o',
  system: 'You review edited images.',
  user: 'Instruction: "make it “blue”, 50 %\\n"',
  detail: 'high',
  temperature: 0.7,
  maxTokens: 800,
  seed: 7,
  timeoutMs: 1000,
  requestKey: 'f00d',
};

describe('the body in pieces', () => {
  it.each([
    ['of no picture', []],
    ['of the edit alone', [5]],
    ['of two pictures, one longer than a slice and no multiple of three', [200_000, 49_153]],
  ])('is the body, byte for byte, and as long as it says, with pictures %s', async (_name, sizes) => {
    const pictures = sizes.map((size) => ({ kind: 'jpeg' as const, bytes: randomBytes(size) }));
    const whole = JSON.stringify(completionBody(question, pictures.map(dataUrl), 'json_object'));
    const { length, pieces } = completionStream(question, pictures, 'json_object');
    const sent = await buffer(pieces);
    expect(sent.toString()).toBe(whole);
    expect(length).toBe(sent.length);
  });
});
