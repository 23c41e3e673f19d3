/**
 * Recorded histories: each workflow's code must still walk what runs have walked before it, release by release. A history that
 * does not replay means that a worker with this code cannot go on with a run that a worker of that release has begun.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { rejection } from '../activities/fixtures.ts';
import { paths } from './paths.ts';
import { patchesAskedFor, patchesIn, recordedHistories, type RecordedHistory, release } from './recorded.ts';

const workflows = join(import.meta.dirname, '../../workflows');
const recorded = recordedHistories();
const maxBytes = 50_000;

let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: join(workflows, 'index.ts'),
    logger: new DefaultLogger('ERROR'),
  });
});

const replay = async (history: RecordedHistory, path: string) =>
  Worker.runReplayHistory({ workflowBundle }, history, path);

describe('the recorded histories', () => {
  it('of this release are those of all paths: "npm run histories:record" makes them', () => {
    const kept = new Set(recorded.filter((one) => one.release === release).map(({ path }) => path));
    expect([...kept].toSorted()).toEqual([...paths].toSorted());
  });

  it('are all of a path that has a name', () => {
    const known = new Set<string>(paths);
    expect(recorded.filter(({ path }) => !known.has(path)).map(({ name }) => name)).toEqual([]);
  });

  it.each(recorded.map(({ release: of, name, ...rest }) => ({ of, name, ...rest })))(
    '$of/$name is whole, small, and walked by the workflows as they are',
    async ({ of, name, path, history, bytes }) => {
      const goesOn = recorded.some((one) => one.release === of && one.path === path && one.name > name);
      const ends = goesOn ? /_CONTINUED_AS_NEW$/ : /^EVENT_TYPE_WORKFLOW_EXECUTION_(COMPLETED|FAILED|CANCELED)$/;
      expect(history.events.at(-1)?.eventType).toMatch(ends);
      expect(bytes).toBeLessThan(maxBytes);
      await replay(history, path);
    },
  );

  it('are not walked by workflows that would have ordered something else: such a replay fails', async () => {
    const text = JSON.stringify(recorded.find(({ path }) => path === 'train-critic-passed')?.history);
    const other = text.replaceAll('"mixRecords"', '"writePrompts"');
    expect(other).not.toBe(text);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same shape
    const error = await rejection(replay(JSON.parse(other) as RecordedHistory, 'train-critic-passed'));
    expect(error).toMatchObject({ name: 'DeterminismViolationError' });
  });
});

/** As recorded from planRun with `patched('a-probe')` in it. */
const marker = {
  eventType: 'EVENT_TYPE_MARKER_RECORDED',
  markerRecordedEventAttributes: {
    markerName: 'core_patch',
    details: { 'patch-data': { payloads: [{ data: 'eyJpZCI6ImEtcHJvYmUiLCJkZXByZWNhdGVkIjpmYWxzZX0=' }] } },
  },
};

/** Patches that a source asks for and no history has. */
function unrecorded(source: string, histories: readonly RecordedHistory[]): string[] {
  const kept = new Set(histories.flatMap(patchesIn));
  return patchesAskedFor(source).filter((id) => !kept.has(id));
}

describe('a patch', () => {
  const sources = readdirSync(workflows, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

  it.each(sources)('that workflows/%s asks for is in a history that is kept', (file) => {
    const source = readFileSync(join(workflows, file), 'utf8');
    expect(
      unrecorded(
        source,
        recorded.map(({ history }) => history),
      ),
    ).toEqual([]);
  });

  it.each(["if (patched('a-probe')) {", 'deprecatePatch("a-probe");', "patched(\n  'a-probe',\n)"])(
    'without one is told, and with one is not: %s',
    (source) => {
      expect(unrecorded(source, [])).toEqual(['a-probe']);
      expect(
        unrecorded(source, [{ events: [{ eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED' }, marker] }]),
      ).toEqual([]);
    },
  );

  it.each([
    'patched(id)',
    'patched(`a-${stage}`)',
    "import { patched as p } from '@temporalio/workflow';",
    'const ask = patched;',
  ])('that cannot be read from the source is refused: %s', (source) => {
    expect(() => patchesAskedFor(source)).toThrow(/write the call and the id of a patch out/);
  });

  it('is neither its import nor what a comment says', () => {
    expect(patchesAskedFor("import { condition, patched, sleep } from 'x'; // patched(id)\n/* patched() */")).toEqual(
      [],
    );
  });
});
