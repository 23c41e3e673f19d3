/** Night files: what is read, and what is said of a wrong one. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nightSchema, readNight } from '../../input/night-file.ts';
import { rejection } from '../activities/fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'critic-night-file-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (text: string) => {
  const path = join(folder, 'night.yaml');
  writeFileSync(path, text);
  return path;
};

describe('a night file', () => {
  it('is read with its defaults; the recipe is looked for in its folder, and not read', async () => {
    expect(await readNight(write('name: n\nrecipe: r.yaml\ncron: "30 1 * * *"\n'))).toEqual({
      schema: 1,
      name: 'n',
      source: folder,
      recipe: 'r.yaml',
      cron: '30 1 * * *',
      time_zone: 'UTC',
      jitter_minutes: 0,
      overlap: 'skip',
      catch_up_minutes: 60,
      pause_on_failure: false,
      at_deadline: 'go-on',
    });
  });

  it('may name another folder, relative to its own', async () => {
    const night = await readNight(write('name: n\nrecipe: r.yaml\nsource: ../x\ncalendar: {at: "01:30"}\n'));
    expect(night.source).toBe(join(folder, '../x'));
    expect(nightSchema.parse(night)).toEqual(night);
  });

  it.each([
    ['recipe: r\ncron: "30 1 * * *"', 'night.name: '],
    ['name: n\nrecipe: r', 'night.calendar: expected either calendar or cron, got "neither"'],
    [
      'name: n\nrecipe: r\ncron: "1 1 * * *"\ncalendar: {at: "01:00"}',
      'night.calendar: expected either calendar or cron, got "both"',
    ],
    ['name: n\nrecipe: r\ncron: "99 1 * * *"', 'night.cron: expected 0 to 59 as minute, not 99, got "99 1 * * *"'],
    ['name: n\nrecipe: r\ncron: "*/15 1-25 * * *"', 'night.cron: expected 0 to 23 as hour, not 25'],
    ['name: n\nrecipe: r\ncron: "@daily"', 'night.cron: expected five fields, such as "30 1 * * *", got "@daily"'],
    ['name: n\nrecipe: r\ncalendar: {at: "25:00"}', 'night.calendar.at: expected a time such as "01:30", got "25:00"'],
    ['name: n\nrecipe: r\ncalendar: {at: 90}', 'night.calendar.at: '],
    ['name: ../n\nrecipe: r\ncron: "1 1 * * *"', 'night.name: expected 1 to 40'],
    ['name: n\nrecipe: r\ncron: "1 1 * * *"\ntime_zone: Mars', 'night.time_zone: expected an IANA time zone'],
    ['name: n\nrecipe: r\ncron: "1 1 * * *"\noverlap: maybe', 'night.overlap: '],
    ['name: n\nrecipe: r\ncron: "1 1 * * *"\nowners: x', 'night.owners: unknown key'],
    ['name: n\nrecipe: r\ncron: "1 1 * * *"\ncatch_up_minutes: 0', 'night.catch_up_minutes: '],
  ])('that is wrong is refused with the field: %s', async (text, sentence) => {
    const error = await rejection(readNight(write(text)));
    expect(error).toMatchObject({ name: 'InputFault', message: expect.stringContaining(sentence) });
  });

  it('of each example in nights/ is one', async () => {
    const examples = join(import.meta.dirname, '../../nights');
    const files = readdirSync(examples);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect((await readNight(join(examples, file))).name).not.toBe('');
  });
});
