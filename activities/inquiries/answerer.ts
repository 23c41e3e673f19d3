/** Answerer: how one inquiry is answered. Its input is checked by the schema first. */
import * as z from 'zod';
import type { Inquiries, InquiryName } from '../../domain/inquiries.ts';
import { isSafeName } from '../../domain/names.ts';

export interface Answerer<Name extends InquiryName> {
  input: z.ZodType<Inquiries[Name]['input']>;
  answer: (input: Inquiries[Name]['input']) => Promise<Inquiries[Name]['reply']>;
}

/** The id of a run. It becomes a part of paths, so it must be a safe name. */
export const runName = z.string().refine((name) => isSafeName(name), 'expected the id of a run');
