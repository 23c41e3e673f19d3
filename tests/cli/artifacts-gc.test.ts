/** `critic artifacts gc` without a server: what is asked, and how it looks. */
import { describe, expect, it } from 'vitest';
import { gcView } from '../../cli/commands/artifacts-gc.ts';
import { critic, fakeServer } from './fakes.ts';

const none = { items: 0, bytes: 0 };
const reply = {
  applied: false,
  items: [{ kind: 'artifact', path: 'artifacts/sft/0123', bytes: 15_000_000_000, usedAt: '2026-11-01T10:00:00.000Z' }],
  total: {
    leftover: none,
    scratch: none,
    checkpoint: none,
    scoring: none,
    artifact: { items: 3, bytes: 20_000_000_000 },
  },
  kept: [],
  unsettled: 44,
  faults: ['EIO: i/o error'],
  free: { before: 1_000_000_000, after: 1_000_000_000, wanted: 21_474_836_480 },
  needed: { since: '2026-11-20T10:00:00.000Z', run: 'demo-1', why: 'goes on' },
};
const server = () => fakeServer({ 'critic-caretaker': { update: () => reply } });

describe('critic artifacts gc', () => {
  it('lists by default, with bytes, what it needs nobody for, and how to remove it', async () => {
    const asked = server();
    const { out, code } = await critic(['artifacts', 'gc', '--free', '20'], asked);
    expect(code).toBe(0);
    expect(asked.calls).toContain(
      'inquire critic-caretaker {"name":"gc","input":{"apply":false,"freeBytes":21474836480,"resumableDays":7}}',
    );
    expect(out).toBe(
      [
        '  15.0 GB  2026-11-01  artifact    artifacts/sft/0123',
        '          and 2 more (--json)',
        '  20.0 GB  in 3 of kind artifact',
        'in the trash: 44; a gc is at work, or was killed: the next one after ten minutes settles them',
        'not removed: EIO: i/o error',
        'free: 1.0 GB, wanted 21.5 GB',
        'needed: what was used since 2026-11-20 10:00 UTC (run demo-1 goes on)',
        'Nothing was removed: add --apply.',
        '',
      ].join('\n'),
    );
  });

  it('removes with --apply, and artifacts only with a goal', async () => {
    const asked = server();
    const { out } = await critic(['artifacts', 'gc', '--apply', '--resumable-days', '0', '--json'], asked);
    expect(asked.calls).toContain(
      'inquire critic-caretaker {"name":"gc","input":{"apply":true,"freeBytes":null,"resumableDays":0}}',
    );
    expect(gcView.schema.parse(JSON.parse(out))).toEqual(reply);
  });

  it('says how long scores stay only if it is told, so that an older worker answers too', async () => {
    const { scoring: _unknown, ...total } = reply.total;
    const asked = fakeServer({ 'critic-caretaker': { update: () => ({ ...reply, total }) } });
    expect((await critic(['artifacts', 'gc', '--scoring-days', '30'], asked)).out).toContain('of kind artifact');
    expect(asked.calls).toContain(
      'inquire critic-caretaker {"name":"gc","input":{"apply":false,"freeBytes":null,"resumableDays":7,"scoringDays":30}}',
    );
  });

  it.each([[['--free', '0']], [['--free', 'all']], [['--resumable-days', '-1']]])('refuses %j', async (argv) => {
    const asked = server();
    expect((await critic(['artifacts', 'gc', ...argv], asked)).code).toBe(1);
    expect(asked.calls).toEqual([]);
  });
});
