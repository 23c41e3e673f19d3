/** Stand aside: a run that rested, paused or with a question, finds that another one makes its artifact by now, and waits for it. */
import type { PreparedAttempt } from '../../domain/jobs/job-life.ts';
import type { JobOrder } from '../../domain/jobs/job-spec.ts';
import type { ArtifactRef } from '../../domain/manifest.ts';
import { activityId, type JobStage } from '../../domain/names.ts';
import { paces, watchActivities } from '../activity-options.ts';
import type { JobDesk } from './job-desk.ts';
import { persist } from '../persisting.ts';
import { leaveTurn } from './turns.ts';

/** Thrown when another run has made the artifact of the job. */
export class MadeElsewhere extends Error {
  readonly artifact: ArtifactRef;

  constructor(artifact: ArtifactRef) {
    super('another run has made the artifact');
    this.artifact = artifact;
  }
}

/** Gives the turns of the attempt back: the other run may wait for them. Returns when the other run no longer makes it; throws MadeElsewhere. */
export async function standAside(
  order: JobOrder,
  attempt: number,
  elsewhere: NonNullable<PreparedAttempt['elsewhere']>,
  desk: JobDesk,
): Promise<void> {
  if (order.turns !== undefined) await leaveTurn(order, attempt, desk);
  if ('artifact' in elsewhere) throw new MadeElsewhere(elsewhere.artifact);
  await awaitMaker(desk, order.stage, order.key, elsewhere.heldBy);
}

/** Waits for an artifact that another run makes. No person is needed, so the stage is shown as running. */
export async function awaitMaker(desk: JobDesk, stage: JobStage, key: string, heldBy: string): Promise<void> {
  const id = activityId(stage, 0, 'await');
  desk.board.start(stage, { activityId: id, note: `run ${heldBy} makes it` });
  await persist(desk, stage, paces.watch, (retry) =>
    desk.cut.interruptible(() =>
      watchActivities.awaitArtifact.executeWithOptions(
        { activityId: id, summary: `run ${heldBy} makes ${stage}`, ...retry },
        [{ stage, key, heldBy }],
      ),
    ),
  );
}
