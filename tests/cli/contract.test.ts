/**
 * What scripts and people may rely on: every verb has an example in its help, and the JSON of every verb has the schema that is kept in
 * tests/golden/cli-json.snap. A change there is a change of a contract: say so in the commit (`vitest run --project unit -u` writes it).
 */
import type { Command } from 'commander';
import { PassThrough } from 'node:stream';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { answerView } from '../../cli/commands/answer.ts';
import { gcView } from '../../cli/commands/artifacts-gc.ts';
import * as artifacts from '../../cli/commands/artifacts/artifacts.ts';
import { cancelView } from '../../cli/commands/cancel.ts';
import * as champion from '../../cli/commands/champion/champion.ts';
import { doctorView } from '../../cli/commands/doctor.ts';
import { servicesView } from '../../cli/commands/local.ts';
import { experimentEndingsView } from '../../cli/commands/experiment/follow.ts';
import { experimentCancelView, experimentsView, experimentView } from '../../cli/commands/experiment/look.ts';
import { nightsView } from '../../cli/commands/nights.ts';
import * as notices from '../../cli/commands/notices.ts';
import { pauseView } from '../../cli/commands/pause.ts';
import { planView } from '../../cli/commands/plan.ts';
import { checkpointsView } from '../../cli/commands/reading/checkpoints.ts';
import { diffView } from '../../cli/commands/reading/diff.ts';
import { logsView } from '../../cli/commands/reading/attempt-logs.ts';
import { metricsView } from '../../cli/commands/reading/metrics.ts';
import { retryView } from '../../cli/commands/retry.ts';
import { runsView } from '../../cli/commands/runs.ts';
import { changesView } from '../../cli/commands/schedule/apply.ts';
import { changedView } from '../../cli/commands/schedule/change.ts';
import { describedView, listView } from '../../cli/commands/schedule/look.ts';
import { scoringsView } from '../../cli/commands/scoring/scorings.ts';
import { statusView } from '../../cli/commands/status.ts';
import { endingView } from '../../cli/commands/watch.ts';
import { createProgram } from '../../cli/program.ts';

/** The schema of what each command prints with `--json`. */
const schemas: Record<string, z.ZodType | z.ZodType[]> = {
  run: endingView.schema,
  plan: planView.schema,
  runs: runsView.schema,
  status: statusView.schema,
  demo: endingView.schema,
  watch: endingView.schema,
  logs: logsView.schema,
  metrics: metricsView.schema,
  checkpoints: checkpointsView.schema,
  diff: diffView.schema,
  'artifacts ls': artifacts.artifactsView.schema,
  'artifacts show': artifacts.artifactView.schema,
  'artifacts verify': artifacts.verifiedView.schema,
  'artifacts pin': artifacts.pinView.schema,
  'artifacts unpin': artifacts.unpinnedView.schema,
  'artifacts gc': gcView.schema,
  'champion show': [champion.championView.schema, champion.championsView.schema],
  'champion history': champion.championsView.schema,
  'champion promote': champion.promotedView.schema,
  'champion rollback': champion.promotedView.schema,
  score: endingView.schema,
  evaluate: endingView.schema,
  scorings: scoringsView.schema,
  answer: answerView.schema,
  retry: retryView.schema,
  pause: pauseView.schema,
  unpause: pauseView.schema,
  cancel: cancelView.schema,
  resume: endingView.schema,
  rerun: endingView.schema,
  'schedule apply': changesView.schema,
  'schedule list': listView.schema,
  'schedule describe': describedView.schema,
  'schedule trigger': changedView.schema,
  'schedule pause': changedView.schema,
  'schedule unpause': changedView.schema,
  'schedule backfill': changedView.schema,
  'schedule delete': changedView.schema,
  'experiment run': experimentEndingsView.schema,
  'experiment resume': experimentEndingsView.schema,
  'experiment watch': experimentEndingsView.schema,
  'experiment list': experimentsView.schema,
  'experiment status': experimentView.schema,
  'experiment cancel': experimentCancelView.schema,
  nights: nightsView.schema,
  'notices ls': notices.noticesView.schema,
  'notices show': notices.noticeView.schema,
  'notices retry': notices.retriedView.schema,
  'notices test': notices.testedView.schema,
  doctor: doctorView.schema,
  'local status': servicesView.schema,
};

const stream = () => new PassThrough();
const program = createProgram({
  env: {},
  stdin: stream(),
  stdout: stream(),
  stderr: stream(),
  localRecord: () => '/nowhere',
  connect: () => Promise.reject(new Error('not now')),
  exitWith: () => undefined,
});

function below(command: Command, path: string[] = []): [name: string, command: Command][] {
  return command.commands
    .filter((one) => !['help', 'complete'].includes(one.name()))
    .flatMap((one) => [[[...path, one.name()].join(' '), one], ...below(one, [...path, one.name()])]);
}
const commands = below(program);

describe('every command', () => {
  // Names alone: vitest would print whole commands, which point to each other.
  it.each(commands.map(([name]) => name))('%s has an example in its help, with options that there are', (name) => {
    const command = commands.find(([one]) => one === name)?.[1];
    let text = '';
    command?.configureOutput({ writeOut: (more) => (text += more) });
    command?.outputHelp();
    const [, example = ''] = /^Example: .*?critic(?: --)? (.*)$/m.exec(text) ?? [];
    const meant = commands.filter(([one]) => example.startsWith(one)).toSorted(longest)[0];
    expect(meant?.[0]).toMatch(new RegExp(`^${name}`));
    const known = meant?.[1].options.flatMap(({ long, short }) => [long, short]) ?? [];
    const options = example.match(/(?<= )--?[a-z][\w-]*/g) ?? [];
    expect(options.filter((option) => !known.includes(option))).toEqual([]);
  });

  it('that has --json has a schema here, and no other', () => {
    const printing = commands.filter(([, { options }]) => options.some(({ long }) => long === '--json'));
    expect(printing.map(([name]) => name).toSorted(byName)).toEqual(Object.keys(schemas).toSorted(byName));
  });

  it('prints JSON of the schema that is kept', async () => {
    const told = Object.fromEntries(
      Object.entries(schemas).map(([name, schema]) => [
        name,
        [schema].flat().map((one) => z.toJSONSchema(one, { unrepresentable: 'any', io: 'output' })),
      ]),
    );
    await expect(`${JSON.stringify(told, null, 1)}\n`).toMatchFileSnapshot('../golden/cli-json.snap');
  });
});

function byName(a: string, b: string): number {
  return a.localeCompare(b);
}

function longest([a]: [string, Command], [b]: [string, Command]): number {
  return b.length - a.length;
}
