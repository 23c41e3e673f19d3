/**
 * Traces: what GRPO trainings on this machine wrote, one gzipped file each: a line that says what it is, then one line a step with its numbers and sampled
 * answers. `record` makes one of the folders of a job's attempts, oldest first:
 *
 *   node bench/health/trace.ts record NAME healthy|sick 'what was changed' FOLDER…
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { stitchMetrics } from '../../domain/health/stitch.ts';
import { type MetricsRow, metricsRowSchema, type SampledStep, sampledStepSchema } from '../../domain/manifest.ts';

const folder = fileURLToPath(new URL('traces', import.meta.url));
const headSchema = z.strictObject({
  /** What a person says who has looked at the whole of it. */
  is: z.enum(['healthy', 'sick']),
  what: z.string(),
});
const stepSchema = metricsRowSchema.extend({ answers: sampledStepSchema.shape.answers.optional() });

export interface Trace extends z.output<typeof headSchema> {
  name: string;
  rows: MetricsRow[];
  answers: SampledStep[];
}

/** All traces, by name. */
export function readTraces(): Trace[] {
  return readdirSync(folder)
    .toSorted((a, b) => a.localeCompare(b))
    .map((file) => {
      const [head = '', ...lines] = gunzipSync(readFileSync(join(folder, file)))
        .toString()
        .trimEnd()
        .split('\n');
      const steps = lines.map((line) => stepSchema.parse(JSON.parse(line)));
      return {
        name: file.replace(/\.jsonl\.gz$/, ''),
        ...headSchema.parse(JSON.parse(head)),
        rows: steps.map(({ answers: _answers, ...row }): MetricsRow => row),
        answers: steps.flatMap(({ step, answers }) => (answers === undefined ? [] : [{ step, answers }])),
      };
    });
}

function record(name: string, is: string, what: string, folders: readonly string[]): void {
  const read = <Row extends { step: number }>(file: string, schema: z.ZodType<Row>) =>
    stitchMetrics(
      folders.map((one) => {
        const lines = readFileSync(join(one, file), 'utf8').trimEnd().split('\n');
        return lines.map((line) => schema.parse(JSON.parse(line)));
      }),
    );
  const answers = new Map(read('answers.jsonl', sampledStepSchema).map((one) => [one.step, one.answers]));
  const lines = read('metrics.jsonl', metricsRowSchema).map(({ time: _time, attempt: _attempt, ...row }) => {
    return JSON.stringify({ ...rounded(row), answers: answers.get(row.step) });
  });
  const head = JSON.stringify(headSchema.parse({ is, what }));
  writeFileSync(join(folder, `${name}.jsonl.gz`), gzipSync([head, ...lines, ''].join('\n'), { level: 9 }));
}

function rounded(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(5)) : value,
    ]),
  );
}

const [, script, verb, name = '', is = '', what = '', ...folders] = process.argv;
if (script === fileURLToPath(import.meta.url) && verb === 'record') record(name, is, what, folders);
