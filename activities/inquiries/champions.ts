/**
 * Champions: what the gate and people have made champion, and how a person does. A promotion by hand is one more version (`champion-file.ts`): nothing
 * is changed or removed, so a rollback is a promotion of what was champion before.
 *
 * kill -9 before the link: nothing was done. After it: the next try finds the version of its own `request`. If a gate or another person was first,
 * the answer is `changed`.
 */
import { stat } from 'node:fs/promises';
import { Context } from '@temporalio/activity';
import * as z from 'zod';
import type { ChampionSummary, PromotedCritic } from '../../domain/inquiries.ts';
import { paths } from '../../domain/names.ts';
import { name as recipeName } from '../../domain/recipe/fields.ts';
import { namesIn } from '../../files/fresh-look.ts';
import { readEvaluation } from '../evaluation/evaluation-file.ts';
import { refuse } from '../failure.ts';
import { type Champion, promote, readChampions } from '../gate/champion-file.ts';
import { loadablePath, makeLoadable } from '../gate/loadable.ts';
import { readPlan } from '../resuming/run-plans.ts';
import type { StoreDeps } from '../store/deps.ts';
import { artifactKeySchema, type Answerer, personName, reasonText, runName } from './answerer.ts';

const mostVersions = 50;

export function answerChampions(deps: StoreDeps): Answerer<'champions'> {
  const { store } = deps;
  return {
    input: z.strictObject({ name: recipeName.nullable() }),
    answer: async ({ name }) => {
      const { cancellationSignal: signal } = Context.current();
      if (name !== null) {
        const versions = await readChampions(paths.champions(store.root, name), signal);
        const shown = versions.toReversed().slice(0, mostVersions);
        return { champions: await Promise.all(shown.map((one) => summaryOf(deps, name, one))) };
      }
      // Before there were versions a champion was one file.
      const names = [...(await namesIn(`${store.root}/champions`))].map((one) =>
        one.replace(/(?:\.history\.jsonl|\.json)$/, ''),
      );
      const newest: ChampionSummary[] = [];
      for (const one of new Set(names.toSorted((a, b) => a.localeCompare(b)))) {
        if (!recipeName.safeParse(one).success) continue;
        const champion = (await readChampions(paths.champions(store.root, one), signal)).at(-1);
        if (champion !== undefined) newest.push(await summaryOf(deps, one, champion));
      }
      return { champions: newest.slice(0, mostVersions) };
    },
  };
}

const critic = z.strictObject({
  run: runName,
  grpo: artifactKeySchema,
  evaluation: artifactKeySchema,
  predictions: artifactKeySchema,
});

export function answerChampionPromote(deps: StoreDeps): Answerer<'champion-promote'> {
  return {
    input: z.strictObject({
      name: recipeName,
      what: z.union([z.strictObject({ version: z.int().min(1) }), z.strictObject({ critic })]),
      expected: z.int().min(0),
      by: personName,
      reason: reasonText,
      request: z.string().min(8).max(64),
    }),
    answer: async ({ name, what, expected, by, reason, request }) => {
      const folder = paths.champions(deps.store.root, name);
      const champions = await readChampions(folder, Context.current().cancellationSignal, expected);
      const own = champions.find((one) => one.by?.request === request);
      if (own !== undefined) {
        if (own === champions.at(-1)) await loadable(deps, name, own);
        return { outcome: 'promoted', champion: await summaryOf(deps, name, own) };
      }
      const base = champions.at(-1);
      if ((base?.version ?? 0) !== expected)
        return { outcome: 'changed', champion: base ? await summaryOf(deps, name, base) : null };
      const next: Champion = {
        ...(await contentOf(deps, champions, what, by, reason)),
        version: expected + 1,
        base: base?.version ?? null,
        decided_at: new Date().toISOString(),
        by: { name: by, reason, request },
      };
      const done = await promote(folder, next);
      if (done === 'taken') return { outcome: 'changed', champion: null };
      await loadable(deps, name, next);
      return { outcome: 'promoted', champion: await summaryOf(deps, name, next) };
    },
  };
}

/** The folder to load, with its card. Of a run whose plan is gone there is none. */
async function loadable({ store }: StoreDeps, name: string, champion: Champion): Promise<void> {
  const plan = await readPlan(store.root, champion.run);
  if (plan !== null) await makeLoadable(store, paths.champions(store.root, name), name, champion, plan);
}

async function contentOf(
  { store }: StoreDeps,
  champions: readonly Champion[],
  what: PromotedCritic,
  by: string,
  reason: string,
): Promise<Champion> {
  if ('version' in what) {
    const found = champions.find(({ version }) => version === what.version);
    const newest = champions.at(-1);
    if (found !== undefined && found.model.key === newest?.model.key)
      throw refuse(
        'ConfigInvalid',
        `version: expected one with another critic than the champion's, got ${what.version}`,
      );
    if (found !== undefined) {
      await requireKept({ store }, found);
      return found;
    }
    const versions = champions.map(({ version }) => version);
    throw refuse('ConfigInvalid', `version: expected one of ${versions.join(', ') || 'none'}, got ${what.version}`);
  }
  const { run, grpo, evaluation, predictions } = what.critic;
  await requireMeasured({ store }, what.critic);
  const place = (stage: 'grpo' | 'evaluation' | 'predict-grpo', key: string) => ({
    key,
    path: paths.artifact(store.root, stage, key),
  });
  const measured = await readEvaluation(place('evaluation', evaluation).path);
  const base = champions.at(-1);
  const version = (base?.version ?? 0) + 1;
  const main_score = measured.models.grpo?.main_score?.value ?? null;
  const own = { run, model: place('grpo', grpo), evaluation: place('evaluation', evaluation), main_score };
  return {
    schema: 2,
    version,
    base: base?.version ?? null,
    ...own,
    predictions: place('predict-grpo', predictions),
    decided_at: '',
    decision: {
      passed: true,
      outcome: 'promote',
      reasons: [`promoted by ${by}: ${reason}`],
      mainScore: main_score,
      champion: base?.run ?? null,
    },
    // No gain over the reference was shown, so the next candidates are still compared with it.
    reference: base?.reference ?? { version, ...own },
  };
}

/** "artifacts gc" keeps what the last two champions and the reference need, and of older ones only what somebody has pinned. */
async function requireKept({ store }: StoreDeps, { version, model, evaluation, reference }: Champion): Promise<void> {
  for (const [stage, { key }] of [
    ['grpo', model],
    ['evaluation', evaluation],
    // The next candidates are compared with it too.
    ['evaluation', reference.evaluation],
  ] as const) {
    if ((await store.peek(stage, key)) === undefined) {
      const expected = 'expected one whose model and evaluation are still in the store';
      throw refuse('DataInvalid', `version: ${expected}, got ${version}, whose ${stage} "${key}" is not there`);
    }
  }
}

/** The three belong together: the evaluation is of these answers, and the answers are of this model. */
async function requireMeasured(
  { store }: StoreDeps,
  { grpo, evaluation, predictions }: z.output<typeof critic>,
): Promise<void> {
  const measured = await store.peek('evaluation', evaluation);
  const answers = await store.peek('predict-grpo', predictions);
  const model = await store.peek('grpo', grpo);
  if (model === undefined)
    throw refuse('DataInvalid', `grpo: expected an artifact of the store, got "${grpo}", which is not there`);
  if (
    !JSON.stringify(measured?.ingredients ?? null).includes(predictions) ||
    !JSON.stringify(answers?.ingredients ?? null).includes(grpo)
  ) {
    throw refuse('DataInvalid', `evaluation: expected one of the answers of model "${grpo}", got "${evaluation}"`);
  }
}

async function summaryOf({ store }: StoreDeps, name: string, champion: Champion): Promise<ChampionSummary> {
  const folder = loadablePath(paths.champions(store.root, name), champion.version);
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const { version, run, main_score: mainScore, model, decided_at: decidedAt, reference, by, decision } = champion;
  return {
    name,
    version,
    run,
    mainScore,
    key: model.key,
    path: isThere ? folder : `${model.path}/model`,
    decidedAt,
    reference: reference.version,
    by: by?.name ?? null,
    reasons: (by === undefined ? decision.reasons : [by.reason]).slice(0, 10).map((one) => one.slice(0, 150)),
  };
}
