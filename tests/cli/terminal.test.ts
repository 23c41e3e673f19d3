import { describe, expect, it } from 'vitest';
import { watchTerminal } from '../../cli/views/terminal.ts';
import type { RunView } from '../../domain/jobs/progress.ts';

const view: RunView = {
  run: 'r',
  recipe: 'demo',
  status: 'running',
  stages: [
    { stage: 'sft', status: 'running', activityId: 'sft-a1-watch', jobId: '7', jobState: 'RUNNING' },
    { stage: 'grpo', status: 'pending' },
  ],
  questions: [],
};
const now = () => new Date('2026-11-23T19:10:00Z');
const live = { 'sft-a1-watch': { state: 'RUNNING', done: 1, total: 4, unit: 'steps' as const, loss: 2 } };

function recorder(tty: { isTTY: boolean; columns?: number; rows?: number }) {
  const written: string[] = [];
  return { written, stream: { ...tty, write: (text: string) => written.push(text) } };
}

describe('a TTY', () => {
  it('is repainted in place, and has its cursor back at the end, once', () => {
    const { written, stream } = recorder({ isTTY: true, columns: 60, rows: 24 });
    const terminal = watchTerminal(stream, { now });
    terminal.show(view, live);
    terminal.show(view, {});
    terminal.stop();
    terminal.stop();
    const screen = [
      '\u001B[2Krun r  running\n',
      '\u001B[2K\u001B[36m▶\u001B[39m sft           1/4 steps  loss 2.000  job 7\n',
      '\u001B[2K\u001B[90m·\u001B[39m\u001B[90m grpo\u001B[39m\n',
    ].join('');
    expect(written).toEqual([`\u001B[?25l\r${screen}\u001B[0J`, `\u001B[3A\r${screen}\u001B[0J`, '\u001B[?25h']);
  });

  it('says below the board why nothing new is shown, until something is', () => {
    const { written, stream } = recorder({ isTTY: true, columns: 60, rows: 24 });
    const terminal = watchTerminal(stream, { now });
    terminal.note('nobody answers');
    terminal.show(view, {});
    terminal.note('nobody answers');
    terminal.note('nobody answers');
    terminal.show(view, {});
    terminal.stop();
    expect(written).toHaveLength(5);
    expect(written[0]).toBe('\u001B[?25l\r\u001B[2Knobody answers\n\u001B[0J');
    expect(written[2]).toContain('grpo\u001B[39m\n\u001B[2Knobody answers\n');
    expect(written[3]).not.toContain('nobody answers');
    expect(written[3]).toContain('\u001B[4A');
  });

  it('that is too low gets the end of the screen, so that repainting stays in place', () => {
    const { written, stream } = recorder({ isTTY: true, columns: 60, rows: 3 });
    const terminal = watchTerminal(stream, { now });
    terminal.show(view, live);
    terminal.show(view, live);
    terminal.stop();
    expect(written[0]).not.toContain('run r');
    expect(written[1]).toContain('\u001B[2A');
  });

  it('that wraps a command itself is repainted from the first of its rows', () => {
    const { written, stream } = recorder({ isTTY: true, columns: 40, rows: 24 });
    const terminal = watchTerminal(stream, { now });
    const paused = {
      ...view,
      status: 'paused',
      paused: { since: '2026-11-23T19:00:00.000Z' },
      run: 'x'.repeat(38),
    } as const;
    terminal.show(paused, {});
    terminal.show(paused, {});
    terminal.stop();
    expect(written[0]).toContain(`    npm run critic -- unpause ${'x'.repeat(38)}\n`);
    // Heading, since when, two stages, and a command that the terminal wraps into two rows.
    expect(written[1]).toContain('\u001B[6A');
  });

  it.each([{ columns: 0, rows: 0 }, { columns: 80, rows: 0 }, {}])(
    'that does not know its size gets lines: %j',
    (size) => {
      const { written, stream } = recorder({ isTTY: true, ...size });
      const terminal = watchTerminal(stream, { now });
      terminal.show(view, live);
      terminal.show(view, live);
      terminal.stop();
      expect(written).toEqual(['19:10:00 ▶ sft  1/4 steps  loss 2.000  job 7\n']);
    },
  );

  it('gets no colours with NO_COLOR, unless that is empty', () => {
    const first = (env: NodeJS.ProcessEnv) => {
      const { written, stream } = recorder({ isTTY: true, columns: 60, rows: 24 });
      const terminal = watchTerminal(stream, { now, env });
      terminal.show(view, live);
      terminal.stop();
      return written[0];
    };
    expect(first({ NO_COLOR: '' })).toContain('\u001B[36m▶\u001B[39m sft');
    expect(first({ NO_COLOR: '1' })).toContain('\u001B[2K▶ sft');
    expect(first({ NO_COLOR: '1' })).not.toContain('\u001B[36m');
  });

  it('that is dumb gets lines', () => {
    const { written, stream } = recorder({ isTTY: true, columns: 60, rows: 24 });
    const terminal = watchTerminal(stream, { now, env: { TERM: 'dumb' } });
    terminal.show(view, live);
    terminal.stop();
    expect(written).toEqual(['19:10:00 ▶ sft  1/4 steps  loss 2.000  job 7\n']);
  });

  it('that forgets its size keeps the last one', () => {
    const { written, stream } = recorder({ isTTY: true, columns: 60, rows: 24 });
    const terminal = watchTerminal(stream, { now });
    terminal.show(view, live);
    Object.assign(stream, { columns: 0, rows: 0 });
    terminal.show(view, live);
    terminal.stop();
    expect(written[1]).toContain('\u001B[3A');
    expect(written[1]).toContain('run r  running');
  });
});

describe('a pipe', () => {
  it('gets lines, without escape sequences', () => {
    const { written, stream } = recorder({ isTTY: false });
    const terminal = watchTerminal(stream, { now });
    terminal.show(view, live);
    terminal.show(view, live);
    terminal.stop();
    expect(written).toEqual(['19:10:00 ▶ sft  1/4 steps  loss 2.000  job 7\n']);
  });
});
