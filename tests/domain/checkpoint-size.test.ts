/** Sizes of checkpoints by formula, against checkpoints that were really written, and for the published model. */
import { describe, expect, it } from 'vitest';
import { amountOfBytes, bytesNeeded, checkpointSize } from '../../domain/estimate/checkpoint-size.ts';
import type { EngineName } from '../../domain/engines/registry.ts';

/** Parameters of the tiny critic, which ties its last layer to its first one. */
const parameters = 952_672;
const sft = { save_steps: 2, llamafactory: {} };

describe('a checkpoint of the tiny critic', () => {
  // Bytes of all weights and states of one checkpoint, as they were written on CPUs. 41,000 of each ZeRO-3 shard are names.
  it.each<[string, EngineName, object, boolean, number]>([
    ['LLaMA-Factory in one process', 'llamafactory', sft, false, 3_818_800 + 7_686_539],
    [
      'under ZeRO-3 in fp32',
      'llamafactory',
      { ...sft, deepspeed: 'zero3' },
      false,
      3_818_800 + 2 * (5_721_407 + 42_461),
    ],
    [
      'under ZeRO-3 in bf16',
      'llamafactory',
      { ...sft, deepspeed: 'zero3' },
      true,
      1_913_472 + 2 * (5_721_477 + 42_461),
    ],
    [
      'under ZeRO-2 in bf16, which the recipe sets',
      'llamafactory',
      { ...sft, deepspeed: 'zero2', llamafactory: { bf16: true } },
      false,
      2_061_032 + 1_930_085 + 5_723_461 + 5_725_957,
    ],
    ['TRL', 'trl', { save_steps: 2 }, true, 3_818_800 + 7_686_539],
    // FSDP writes the tied layer out.
    ['EasyR1 on two processes', 'easyr1', { save_steps: 2 }, true, 2 * 2_103_261 + 3_908_075 + 3_912_107],
    ['verl', 'verl', { save_steps: 2 }, true, 4_144_910 + 7_628_746],
  ])('by %s is as large as the formula says, within 5 %', (_what, engine, params, onGpu, measured) => {
    const size = checkpointSize(engine, { ...params }, { parameters, onGpu });
    expect((size?.checkpoint ?? 0) / measured).toBeGreaterThan(0.95);
    expect((size?.checkpoint ?? 0) / measured).toBeLessThan(1.05);
  });
});

describe('what a training needs', () => {
  const seven = { parameters: 8_292_166_656, onGpu: true };

  it('are the checkpoints that it keeps, one more while it writes, and its model', () => {
    const zero3 = checkpointSize('llamafactory', { ...sft, deepspeed: 'zero3' }, seven);
    expect(zero3).toEqual({ checkpoint: 14 * seven.parameters, model: 2 * seven.parameters, checkpoints: 3 });
    expect(zero3 && amountOfBytes(bytesNeeded(zero3))).toBe('364.9 GB');
    const verl = checkpointSize('verl', { save_steps: 5, save_limit: 4 }, seven);
    expect(verl).toMatchObject({ checkpoint: 12 * seven.parameters, checkpoints: 5 });
  });

  it.each<[string, EngineName, object]>([
    ['a prediction', 'vllm', {}],
    ['tokenising', 'llamafactory', { cutoff_len: 9 }],
    ['adapters', 'llamafactory', { ...sft, llamafactory: { finetuning_type: 'lora' } }],
    ['an optimizer of another size', 'llamafactory', { ...sft, llamafactory: { optim: 'adafactor' } }],
  ])('is not foretold of %s', (_what, engine, params) => {
    expect(checkpointSize(engine, { ...params }, seven)).toBeUndefined();
  });
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [116_090_333_184, '116.1 GB'],
  [2.5e18, '2500.0 PB'],
])('%d bytes are said as %s', (bytes, said) => {
  expect(amountOfBytes(bytes)).toBe(said);
});
