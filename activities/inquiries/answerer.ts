/** Answerer: how one inquiry is answered. Its input is checked by the schema first. */
import * as z from 'zod';
import type { Inquiries, InquiryName } from '../../domain/inquiries.ts';
import { isJobStage, isSafeName, type JobStage } from '../../domain/names.ts';

export interface Answerer<Name extends InquiryName> {
  input: z.ZodType<Inquiries[Name]['input']>;
  answer: (input: Inquiries[Name]['input']) => Promise<Inquiries[Name]['reply']>;
}

/** The id of a run. It becomes a part of paths, so it must be a safe name. */
export const runName = z.string().refine((name) => isSafeName(name), 'expected the id of a run');

/** The name of a stage whose work is a job. */
export const jobStage = z.custom<JobStage>(
  (value) => typeof value === 'string' && isJobStage(value),
  'expected the name of a stage with a job, such as sft, grpo or predict-grpo',
);

/** How long an answer may wait for something new. */
export const waitSeconds = z.number().min(0).max(20);

/** The key of an artifact. */
export const artifactKeySchema = z.string().regex(/^[0-9a-f]{32}$/, 'expected the key of an artifact, 32 hex digits');

/** Who says something, as `--by` has it. */
export const personName = z.string().regex(/^[^\p{C}]{1,100}$/u, 'expected a name of 1 to 100 characters');
export const reasonText = z
  .string()
  .regex(/^[^\p{C}]{1,500}$/u, 'expected a reason of 1 to 500 characters in one line');
