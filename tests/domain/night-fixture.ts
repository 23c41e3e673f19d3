/** A night at 01:30 UTC that does nothing special but what `fields` say. */
import type { Night } from '../../domain/nights/night.ts';

export function aNight(fields: Partial<Night> = {}): Night {
  return {
    schema: 1,
    name: 'n',
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
