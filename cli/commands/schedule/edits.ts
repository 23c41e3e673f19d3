/**
 * Edits that somebody made to a night's schedule beside its file, as in the Temporal UI. Temporal keeps times in a form of its own, so what it made of the
 * file is kept with the schedule, in the memo of the workflows that it starts, and compared with what stands at the next `apply`.
 *
 * kill -9 between the change of a schedule and this memo: the schedule is as the file says, and the next `apply` keeps the memo.
 */
import type { ScheduleDescription } from '@temporalio/client';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import type { Standing } from './schedules.ts';

const key = 'appliedSchedule';
const keptSchema = z.record(z.string(), z.unknown());

/** What the file decides, beside the night itself, which is the workflow's argument. By the names under which `apply` shows it. */
function decided({ spec, policies, action }: ScheduleDescription): Record<string, unknown> {
  const parts = { times: spec, policies, starts: [action.workflowType, action.workflowId, action.taskQueue] };
  // As JSON has it: dates are texts, and what is undefined is left out.
  return keptSchema.parse(JSON.parse(JSON.stringify(parts)));
}

/** What was kept when the file was applied. Undefined: nothing, or it cannot be read. */
function kept({ action }: ScheduleDescription): Record<string, unknown> | undefined {
  return keptSchema.safeParse(action.memo?.[key]).data;
}

export interface Edit {
  field: string;
  before: unknown;
  after: unknown;
}

/** Parts of a schedule that are not as they were applied: as they are, and as the file makes them again. */
export function editsOf({ described }: Standing): Edit[] {
  const applied = kept(described);
  if (applied === undefined) return [];
  return Object.entries(decided(described))
    .filter(([part, now]) => !isDeepStrictEqual(now, applied[part]))
    .map(([part, now]) => ({ field: `${part} (edited beside the file)`, before: now, after: applied[part] ?? null }));
}

/** Keeps what Temporal has made of the file, where it is not kept yet. */
export async function keepApplied({ handle }: Pick<Standing, 'handle'>): Promise<void> {
  await handle.update((now) => {
    const memo = { ...now.action.memo, [key]: decided(now) };
    return { spec: now.spec, policies: now.policies, state: now.state, action: { ...now.action, memo } };
  });
}

export const isKept = ({ described }: Standing): boolean => kept(described) !== undefined;
