/** Fixtures of the gate's tests: candidates of known quality, the gate as an activity, and the champions that it left. */
import { beforeAll, beforeEach, vi } from 'vitest';
import { type Champion, type FolderView, ownView, readChampions } from '../../../activities/gate/champion-file.ts';
import type { ArtifactStore } from '../../../activities/store/artifact-store.ts';
import { createGateActivities, type GateDecision, type GateRequest } from '../../../activities/gate/gate.ts';
import { createEvaluationActivities } from '../../../activities/evaluation/evaluation.ts';
import type { Pair } from '../../../domain/manifest.ts';
import { paths } from '../../../domain/names.ts';
import type { RunPlan } from '../../../domain/plan.ts';
import {
  evaluationPairs,
  evaluationPlan,
  makeStore,
  predictionsOf,
  publishDataset,
  publishGrpo,
  publishPredictions,
} from '../evaluation/evaluation-fixtures.ts';
import { activityEnvironment, inActivity } from '../fixtures.ts';

const pairs = evaluationPairs();

/** One champion's name in a store. Tests may share a store, since measuring takes seconds and is reused. */
export class GateBench {
  readonly store: ArtifactStore;
  readonly name: string;
  readonly folder: string;

  constructor(store: ArtifactStore, name: string) {
    this.store = store;
    this.name = name;
    this.folder = paths.champions(store.root, name);
  }

  plan(run: string, gate: Partial<RunPlan['recipe']['gate']> = {}): RunPlan {
    return evaluationPlan(run, { champion: this.name, ...gate });
  }

  /** A candidate whose scores are off by up to `noise` points. */
  async candidate(run: string, noise: number, of: Pair[] = pairs): Promise<GateRequest> {
    const { store } = this;
    const plan = this.plan(run);
    const dataset = await publishDataset(store, of);
    const predictions = await publishPredictions(store, 'grpo', predictionsOf(of, noise, { seed: noise * 100 }));
    const { env } = activityEnvironment();
    const evaluation = await inActivity(env, () =>
      createEvaluationActivities({ store }).evaluatePredictions({
        plan,
        artifacts: { dataset, 'predict-grpo': predictions },
      }),
    );
    return { plan, evaluation, candidate: await publishGrpo(store, `noise ${noise}`), predictions };
  }

  async gate(request: GateRequest, view: FolderView = ownView): Promise<GateDecision> {
    const { env } = activityEnvironment();
    return inActivity(env, () => createGateActivities({ store: this.store }, view).judgeGate(request));
  }

  champions(): Promise<Champion[]> {
    return readChampions(this.folder, new AbortController().signal);
  }

  async runs(): Promise<string[]> {
    return (await this.champions()).map((champion) => champion.run);
  }
}

/** The store of the file's tests, and the champion's name of each. */
export let store: ArtifactStore;
export let bench: GateBench;

/** Each test has a champion's name of its own, in one store. `testTimeout`: a thousand resamples of curve fits take seconds on a busy machine, ms. */
export function benchOfEachTest(testTimeout = 60_000): void {
  vi.setConfig({ testTimeout });
  let tests = 0;
  beforeAll(async () => {
    store = await makeStore();
  });
  beforeEach(() => {
    tests += 1;
    bench = new GateBench(store, `test-${tests}`);
  });
}

/** The test has a store of its own: it breaks what others measure. */
export async function benchOfItsOwn(): Promise<void> {
  bench = new GateBench(await makeStore(), 'own');
}
