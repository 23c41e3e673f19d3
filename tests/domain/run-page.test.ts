/** The page of a run in the Temporal UI. */
import { describe, expect, it } from 'vitest';
import type { RunView } from '../../domain/jobs/progress.ts';
import { runPage } from '../../domain/run-page.ts';

const run = 'demo-20261128-190000';
const view: RunView = {
  run,
  recipe: 'demo',
  status: 'running',
  stages: [
    { stage: 'mix', status: 'done', artifact: '/store/artifacts/mix/abc' },
    { stage: 'sft', status: 'running', jobId: '7', jobState: 'RUNNING', note: 'on n1' },
    { stage: 'report', status: 'pending' },
  ],
  questions: [],
};
const typed = (page: string) => page.split('\n').flatMap((line) => /^ {4}npm run critic -- (.*)/.exec(line)?.[1] ?? []);

describe('the page of a run that goes on', () => {
  it('has its stages, what they made, and what may be typed', () => {
    const page = runPage(view);
    expect(page.split('\n')[0]).toBe('**running**');
    expect(page).toContain('| ▶ | sft | running | 7 RUNNING | on n1 |');
    expect(page).toContain('| mix | /store/artifacts/mix/abc |');
    expect(typed(page)).toEqual([
      `watch ${run}`,
      `logs ${run} sft -f`,
      `retry ${run} sft --minutes N`,
      `pause ${run} --note WHY`,
      `cancel ${run}`,
    ]);
  });

  it('says why an activity is tried again, and when that was', () => {
    const trouble = { why: 'slurmrestd does not answer', at: '2026-11-28T19:03:04.000Z' };
    const page = runPage({ ...view, stages: [{ stage: 'sft', status: 'running', note: 'on n1', trouble }] });
    expect(page).toContain('| tried again, at 19:03 UTC: slurmrestd does not answer; on n1 |');
  });

  it('says that it pauses or is paused, and how it goes on; and that it is being cancelled', () => {
    const paused = { since: '2026-11-28T19:00:00.000Z', by: 'ada', note: 'a demo' };
    expect(
      runPage({ ...view, paused })
        .split('\n')
        .slice(0, 5),
    ).toEqual([
      '**pausing: jobs save a checkpoint and end**',
      '',
      'Paused since 2026-11-28T19:00:00.000Z by ada: a demo. Go on with:',
      '',
      `    npm run critic -- unpause ${run}`,
    ]);
    const resting = runPage({ ...view, status: 'paused', paused });
    expect(resting).toMatch(/^\*\*paused\*\*/);
    expect(typed(resting)).not.toContain(`pause ${run} --note WHY`);
    const cancelling = runPage({ ...view, paused, cancelling: true });
    expect(cancelling).toMatch(/^\*\*cancelling: its jobs are ended, then the run\*\*/);
    expect(typed(cancelling)).not.toContain(`cancel ${run}`);
  });

  it('links to the run that it resumes', () => {
    expect(runPage({ ...view, resumes: 'demo-1' })).toContain(
      'It resumes [demo-1](/namespaces/{namespace}/workflows/demo-1).',
    );
  });

  it('asks with every fault on its own line, and takes nothing of it for Markdown', () => {
    const sentence = 'two faults in <b>rows</b>:\nrow 3: `a|b`\nrow 4: *bad*';
    const commands = [`npm run critic -- answer ${run} mix retry`];
    const page = runPage({ ...view, questions: [{ id: 'mix-1', stage: 'mix', sentence, logTail: '', commands }] });
    expect(page).toContain(
      '**Waiting for you (mix).** two faults in \\<b\\>rows\\</b\\>:\n\n- row 3: \\`a\\|b\\`\n- row 4: \\*bad\\*',
    );
    expect(typed(page)).toContain(`answer ${run} mix retry`);
  });
});

describe('the page of a run that is over', () => {
  const written: RunView = {
    ...view,
    status: 'passed',
    stages: [{ stage: 'report', status: 'done', note: '/s/report.html' }],
  };

  it('links to the report where that is served, and to none elsewhere or before it is written', () => {
    const link = `[Report](http://pages/runs/${run}/report.html)`;
    expect(runPage({ ...written, pages: 'http://pages' })).toContain(link);
    expect(runPage({ ...written, pages: null })).not.toContain('[Report]');
    expect(runPage({ ...view, pages: 'http://pages' })).not.toContain('[Report]');
  });

  it('says how to go on from one without a verdict', () => {
    expect(typed(runPage(written))).toEqual([`status ${run}`]);
    expect(typed(runPage({ ...view, status: 'cancelled', cancelling: true }))).toEqual([`resume ${run}`]);
  });
});
