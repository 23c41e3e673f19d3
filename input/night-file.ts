/** Night files: YAML → a checked night. All faults are told at once. The recipe is not read: that is done when a night begins. */
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { clusterExpected, isClusterName } from '../domain/clusters.ts';
import { cut } from '../domain/errors.ts';
import { isSafeName } from '../domain/names.ts';
import { daysOfWeek, type Night, overlaps } from '../domain/nights/night.ts';
import { somePath } from '../domain/recipe/fields.ts';
import { schemaFault } from './input-fault.ts';
import { readYamlFile } from './yaml-file.ts';

const minutes = (most: number) => z.number().int().min(0).max(most);
const localTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'expected a time such as "01:30"');
const aName = z
  .string()
  .refine((value) => isSafeName(value, 40), 'expected 1 to 40 of letters, digits, ".", "_" and "-", no leading dot');

const fields = {
  name: aName.describe('Names the schedule `critic-night-NAME`. At most 40 characters; required.'),
  cluster: z
    .string()
    .refine(isClusterName, `expected ${clusterExpected}`)
    .exactOptional()
    .describe('Cluster whose worker reads the recipe and on which it runs. Default: the one without a name.'),
  recipe: somePath.describe('The recipe, a path in `source`. Required.'),
  calendar: z
    .strictObject({
      at: localTime.describe('Local time at which it begins. "HH:MM"; required.'),
      days_of_week: z.array(z.enum(daysOfWeek)).min(1).exactOptional().describe('Default: every day.'),
      days_of_month: z.array(z.int().min(1).max(31)).min(1).exactOptional().describe('1 to 31. Default: every day.'),
    })
    .exactOptional()
    .describe('When it begins. This or `cron`.'),
  cron: z
    .string()
    .regex(/^\S+(?: +\S+){4}$/, 'expected five fields, such as "30 1 * * *"')
    .max(200)
    .superRefine(checkCron)
    .exactOptional()
    .describe('When it begins, as five fields of cron. This or `calendar`.'),
  time_zone: z
    .string()
    .refine(isZone, 'expected an IANA time zone, such as Europe/Berlin')
    .default('UTC')
    .describe('Zone of all its local times. IANA name; default UTC.'),
  jitter_minutes: minutes(720)
    .default(0)
    .describe('It begins up to so much later, at random. Minutes, 0 to 720; default 0.'),
  overlap: z
    .enum(overlaps)
    .default('skip')
    .describe('If the night before goes on: skip this one, queue it, or stop that one and take over. Default skip.'),
  catch_up_minutes: z
    .number()
    .int()
    .min(1)
    .max(7 * 24 * 60)
    .default(60)
    .describe('How much later it may begin after an outage of server or worker. Minutes, 1 to 10080; default 60.'),
  pause_on_failure: z.boolean().default(false).describe('A night that fails pauses the schedule. Default false.'),
  owner: z.string().trim().min(1).max(100).exactOptional().describe('Whose it is, for people.'),
  tell: z.array(aName).min(1).exactOptional().describe('Names of channels. Default: those of the channels file.'),
  deadline: localTime.exactOptional().describe('Local time by which it should have ended. "HH:MM".'),
  at_deadline: z
    .enum(['go-on', 'stop'])
    .default('go-on')
    .describe(
      'At the deadline: go on, or save a checkpoint and stop; the next night goes on from there. Default go-on.',
    ),
};

/** The parts of a cron, with their least and highest number. */
const cronParts = [
  ['minute', 0, 59],
  ['hour', 0, 23],
  ['day of the month', 1, 31],
  ['month', 1, 12],
  ['day of the week', 0, 7],
] as const;

/** Numbers alone: what else Temporal takes or refuses, it says itself. A step (`/15`) is no number of these. */
function checkCron(cron: string, context: z.RefinementCtx<string>): void {
  const parts = cron.split(/ +/);
  for (const [index, [what, least, most]] of cronParts.entries()) {
    const numbers = (parts[index] ?? '').replaceAll(/\/\d+/g, '').match(/\d+/g) ?? [];
    const wrong = numbers.find((number) => Number(number) < least || Number(number) > most);
    if (wrong === undefined) continue;
    context.addIssue({ code: 'custom', input: cron, message: `expected ${least} to ${most} as ${what}, not ${wrong}` });
  }
}

/** Not the whole night is what is wrong, so it is not shown. */
function checkBeginning(night: { calendar?: unknown; cron?: unknown }, context: z.RefinementCtx<object>): void {
  const given = ['calendar', 'cron'].filter((field) => Object.hasOwn(night, field));
  if (given.length === 1) return;
  const got = given.length === 0 ? 'neither' : 'both';
  context.addIssue({ code: 'custom', path: ['calendar'], message: 'expected either calendar or cron', input: got });
}

/** A night file as it is written. */
export const nightFileSchema = z
  .strictObject({
    ...fields,
    source: somePath
      .exactOptional()
      .describe(
        'Folder from which the recipe is read when a night begins, as the worker sees it. Default: the folder of this file.',
      ),
  })
  .superRefine(checkBeginning);

/** A night as it travels with its schedule. A schedule may be made by hand, so whoever gets one checks it. */
export const nightSchema: z.ZodType<Night> = z
  .strictObject({ ...fields, schema: z.literal(1), source: somePath.startsWith('/', 'expected an absolute path') })
  .superRefine(checkBeginning);

/** Throws an InputFault that names the file, or each field with its value, and what was expected. */
export async function readNight(path: string): Promise<Night> {
  const value = await readYamlFile(path, { what: 'night', holds: 'name, recipe, calendar, …' });
  const { data, error } = nightFileSchema.safeParse(value, { reportInput: true });
  if (data === undefined) throw schemaFault(`night "${cut(path)}"`, error, 'night');
  const { source = '.', ...rest } = data;
  return { ...rest, schema: 1, source: resolve(dirname(resolve(path)), source) };
}

/** Does this Node know the zone? */
function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
