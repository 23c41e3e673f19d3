/**
 * Pages of a job's log. A page has at most 16 KiB, so that its JSON stays below the bound of a reply whatever the job has printed. It is read with
 * distrust: no link is followed, and what is no regular file has no log.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import * as z from 'zod';
import type { LogPage } from '../../domain/inquiries.ts';
import { attemptFiles, paths } from '../../domain/names.ts';
import { freshSize, readFrom, whenListed } from '../../files/fresh-look.ts';
import { FileFault, withRegularFile } from '../../files/regular-file.ts';
import type { StoreDeps } from '../store/deps.ts';
import { hasCode } from '../store/durable-file.ts';
import { type Answerer, jobStage, runName, waitSeconds } from './answerer.ts';

const pageBytes = 16 * 1024;
/** Pause between two looks while a page is waited for, ms. */
const pauseMs = 1000;

export function answerLog({ store }: StoreDeps): Answerer<'log'> {
  return {
    input: z.strictObject({
      run: runName,
      stage: jobStage,
      attempt: z.int().min(1),
      from: z.int().min(0).nullable(),
      whole: z.boolean(),
      waitSeconds,
    }),
    answer: async ({ run, stage, attempt, from, whole, waitSeconds: seconds }) => {
      const folder = paths.attempt(store.root, run, stage, attempt);
      const signal = Context.current().cancellationSignal;
      for (const until = performance.now() + seconds * 1000; ;) {
        const page = (await whenListed(folder, attemptFiles.log, (path) => readPage(path, from, whole), 0)) ?? nothing;
        if (page.next > (from ?? 0) || performance.now() >= until) return page;
        await sleep(pauseMs, undefined, { signal });
      }
    },
  };
}

const nothing: LogPage = { text: '', from: 0, next: 0, size: 0 };

async function readPage(path: string, from: number | null, whole: boolean): Promise<LogPage> {
  try {
    return await withRegularFile(
      path,
      async (file) => {
        const size = await freshSize(file);
        const start = Math.min(size, from ?? Math.max(0, size - pageBytes));
        const bytes = await readFrom(file, start, pageBytes);
        const lines = bytes.lastIndexOf(0x0a) + 1;
        // Lines are given whole. A page that is full of one line is given as it is, and so is what an attempt that is over ended with.
        const atEnd = start + bytes.length >= size;
        const used = (whole && atEnd) || (lines === 0 && bytes.length === pageBytes) ? bytes.length : lines;
        return { text: bytes.toString('utf8', 0, used), from: start, next: start + used, size };
      },
      { noFollow: true },
    );
  } catch (error) {
    if (error instanceof FileFault || hasCode(error, 'ELOOP')) return nothing;
    throw error;
  }
}
