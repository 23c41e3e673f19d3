/**
 * Checkpoint size: bytes of a training's checkpoint and of the model that it leaves, from the number of parameters. Optimizers are Adam's, with two numbers of fp32
 * for each parameter. All parameters count as trained, so a frozen part makes it smaller. tests/domain/checkpoint-size.test.ts has what checkpoints of
 * the tiny critic were measured to have.
 */
import { numberIn, type Params } from '../engines/engine.ts';
import type { EngineName } from '../engines/registry.ts';

/** Bytes for each parameter. */
interface Bytes {
  checkpoint: number;
  model: number;
}

/** Checkpoints that the trainer keeps of an attempt, where the recipe has no say (trainer/critic_trainer/attempt/checkpoints.py). */
const usuallyKept = 2;
const [bf16, fp32] = [2, 4];
const adam = 2 * fp32;

export interface CheckpointSize {
  /** Bytes of one checkpoint, and of the model at the end. */
  checkpoint: number;
  model: number;
  /** Checkpoints that stand at one time: those that are kept, and the one that is being written. */
  checkpoints: number;
}

/**
 * Undefined where it cannot be foretold: predictions, and trainings of a part of the model or with an optimizer of another size.
 * `onGpu`: engines compute in bf16 then.
 */
export function checkpointSize(
  engine: EngineName,
  params: Readonly<Params>,
  { parameters, onGpu }: { parameters: number; onGpu: boolean },
): CheckpointSize | undefined {
  const bytes = bytesEach(engine, params, onGpu);
  if (bytes === undefined) return undefined;
  return {
    checkpoint: bytes.checkpoint * parameters,
    model: bytes.model * parameters,
    checkpoints: 1 + (numberIn(params, 'save_limit') ?? usuallyKept),
  };
}

/** Bytes on disk at most: all checkpoints, then the model beside them. */
export function bytesNeeded({ checkpoint, model, checkpoints }: CheckpointSize): number {
  return checkpoint * checkpoints + model;
}

function bytesEach(engine: EngineName, params: Readonly<Params>, onGpu: boolean): Bytes | undefined {
  switch (engine) {
    case 'llamafactory':
      return 'save_steps' in params ? ofLlamaFactory(params, onGpu) : undefined;
    case 'trl':
      return { checkpoint: fp32 + adam, model: fp32 };
    case 'easyr1':
    case 'verl':
      // FSDP's shards of fp32 weights and of Adam's numbers (FSDPCheckpointManager of both). The merger writes bf16.
      return { checkpoint: fp32 + adam, model: bf16 };
    case 'transformers':
    case 'vllm':
      return undefined;
  }
}

function ofLlamaFactory(params: Readonly<Params>, onGpu: boolean): Bytes | undefined {
  const { llamafactory: extra, deepspeed } = params;
  const given = (name: string): unknown =>
    typeof extra === 'object' && extra !== null ? Reflect.get(extra, name) : undefined;
  const optimizer = given('optim');
  if (given('finetuning_type') !== undefined && given('finetuning_type') !== 'full') return undefined;
  if (optimizer !== undefined && !(typeof optimizer === 'string' && optimizer.startsWith('adamw_torch')))
    return undefined;
  if (given('pure_bf16') === true) return { checkpoint: 3 * bf16, model: bf16 };
  const computed = (given('bf16') ?? onGpu) === true ? bf16 : fp32;
  // DeepSpeed's engine.save_checkpoint: an fp32 copy of the weights beside Adam's numbers. Trainer adds a model in the dtype of the computation, and under ZeRO-2
  // DeepSpeed does so once more (mp_rank_00_model_states.pt).
  if (deepspeed === 'zero3') return { checkpoint: computed + fp32 + adam, model: computed };
  if (deepspeed === 'zero2') return { checkpoint: 2 * computed + fp32 + adam, model: computed };
  return { checkpoint: fp32 + adam, model: fp32 };
}

/** `116.1 GB`, in powers of a thousand, as disks are sold. */
export function amountOfBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ''}`;
}
