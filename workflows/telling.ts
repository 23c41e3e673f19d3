/** To tell people something from a workflow. */
import type { Notice } from '../domain/notices/notice.ts';
import { storeActivities } from './activity-options.ts';

export async function tell(notice: Notice): Promise<void> {
  await storeActivities.tellPeople.executeWithOptions({ summary: notice.title.slice(0, 100) }, [{ notice }]);
}

/** Workflow time (ISO, UTC). */
export function now(): string {
  return new Date().toISOString();
}
