/** What tests of nights share. */
import { Context } from '@temporalio/activity';
import type { Night } from '../../domain/night.ts';

/** A night at 01:30 UTC that does nothing special but what `fields` say. */
export function night(name: string, fields: Partial<Night> = {}): Night {
  return {
    schema: 1,
    name,
    source: '/recipes',
    recipe: 'r.yaml',
    cron: '30 1 * * *',
    time_zone: 'UTC',
    jitter_minutes: 0,
    overlap: 'skip',
    catch_up_minutes: 60,
    pause_on_failure: false,
    at_deadline: 'go-on',
    ...fields,
  };
}

/** Ends by cancellation only. */
export async function forever(): Promise<never> {
  for (;;) {
    Context.current().heartbeat();
    await Context.current().sleep(50);
  }
}
