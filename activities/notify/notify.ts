/** To tell people from a workflow: the notice goes into the outbox. It is delivered by the pump, whatever becomes of the workflow. */
import type { Notice } from '../../domain/notices/notice.ts';
import { patientAll } from '../failure.ts';
import type { StoreDeps } from '../store/deps.ts';
import { Outbox } from './outbox.ts';

export function createNotifyActivities({ store }: StoreDeps) {
  const outbox = new Outbox(store.root);
  return patientAll({
    /** Safe to repeat: a notice of this id is kept once. */
    async tellPeople({ notice }: { notice: Notice }): Promise<'put' | 'known'> {
      return outbox.put(notice);
    },
  });
}
