/**
 * What slurmrestd prints, as zod reads it: only the fields that we use, each in every spelling from v0.0.38 to v0.0.45.
 * Unknown fields are ignored. Values are made uniform here. The adapters give them names and meaning.
 */
import * as z from 'zod';

/** `{set, infinite, number}`: infinite means unlimited, `set: false` means that the number is to be ignored. */
const optionalNumber = z.object({
  set: z.boolean().optional(),
  infinite: z.boolean().optional(),
  number: z.number().optional(),
});

/** An int (v0.0.38), null, or `{set, infinite, number}` (v0.0.39+). Undefined if unset or unlimited. */
export const number = z
  .union([z.number(), z.null(), optionalNumber])
  .optional()
  .transform((value) => {
    if (typeof value === 'number') return value;
    if (value === null || value === undefined || value.infinite === true || value.set === false) return undefined;
    return value.number;
  });

/** A time in seconds since the epoch. 0, NO_VAL (4294967294) and INFINITE mean that it did not happen. */
export const time = number.transform((seconds) =>
  seconds === undefined || seconds <= 0 || seconds >= 4_294_967_294 ? undefined : new Date(seconds * 1000),
);

/** A string; null and absent are ''. */
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

/** One word (v0.0.38) or a list of words (v0.0.40+); null and absent are []. */
export const words = z
  .union([z.string(), z.array(z.string()), z.null()])
  .optional()
  .transform((value) => {
    if (value === null || value === undefined) return [];
    return typeof value === 'string' ? value.split(/[+,\s]+/).filter((word) => word !== '') : value;
  });

const id = z.union([z.number().int().nonnegative(), z.string().regex(/^\d+$/)]).transform(String);

const structuredExit = z.object({
  status: words,
  return_code: number,
  signal: z
    .object({ signal_id: number, id: number })
    .nullish()
    .transform((signal) => signal?.id ?? signal?.signal_id),
});

/** A raw wait status (v0.0.38, `{set,number}` in 39) or `{status, return_code, signal}` (slurmdb always, slurmctld v0.0.40+). */
export const exit = z.union([z.number(), z.null(), structuredExit]).optional();

export const currentJob = z.object({
  job_id: id,
  name: text,
  user_name: text,
  account: text,
  partition: text,
  qos: text,
  job_state: words,
  state_reason: text,
  state_description: text,
  submit_time: time,
  start_time: time,
  end_time: time,
  preempt_time: time,
  exit_code: exit,
  derived_exit_code: exit,
  restart_cnt: number,
  requeue: z.boolean().nullish(),
  nodes: text,
  failed_node: text,
  current_working_directory: text,
  standard_output: text,
  standard_error: text,
  stdout_expanded: text,
  stderr_expanded: text,
  comment: text,
  time_limit: number,
});

export const accountingJob = z.object({
  job_id: id,
  name: text,
  user: text,
  account: text,
  partition: text,
  qos: text,
  state: z.object({ current: words, reason: text }),
  time: z.object({ submission: time, start: time, end: time, limit: number }),
  exit_code: exit,
  derived_exit_code: exit,
  restart_cnt: number,
  nodes: text,
  failed_node: text,
  kill_request_user: text,
  working_directory: text,
  stdout_expanded: text,
  stderr_expanded: text,
  comment: z
    .object({ job: text })
    .nullish()
    .transform((comment) => comment?.job ?? ''),
});

/** Here the id is a text: `12_3` for a task of an array. */
export const jobStatus = z.object({ job_id: z.union([z.number(), z.string()]).transform(String), state: words });

export const submitAnswer = z.object({ job_id: id.optional(), job_submit_user_msg: text });

/** v0.0.38 calls the answer `ping`, v0.0.40 to 44 `pinged`. v0.0.45 has `responding` and `primary` instead. */
export const ping = z.object({
  hostname: text,
  ping: text,
  pinged: text,
  mode: text,
  responding: z.boolean().nullish(),
  primary: z.boolean().nullish(),
});

export const statistics = z.object({
  server_thread_count: number,
  agent_queue_size: number,
  jobs_submitted: number,
  jobs_started: number,
  jobs_completed: number,
  jobs_canceled: number,
  jobs_failed: number,
  jobs_pending: number,
  jobs_running: number,
});

/** v0.0.38: `state: "idle"` with `state_flags`, comma lists; v0.0.40+: lists. */
export const node = z.object({
  name: z.string(),
  state: words,
  state_flags: words,
  reason: text,
  cpus: number,
  real_memory: number,
  gres: text,
  features: words,
  partitions: words,
});

export const partition38 = z.object({
  name: z.string(),
  state: text,
  nodes: text,
  total_cpus: number,
  total_nodes: number,
  max_time_limit: number,
});

export const partition40 = z.object({
  name: z.string(),
  nodes: z.object({ configured: text, total: number }),
  cpus: z.object({ total: number }),
  partition: z.object({ state: words }),
  maximums: z.object({ time: number }),
});

/** One entry of a DELETE answer's `status` (v0.0.42+): one job, or one task of an array. */
export const killStatus = z.object({ error: z.object({ code: number, string: text, message: text }).nullish() });

/** An object, or nothing at all: null and absent are one without fields. */
const part = <Shape extends z.ZodRawShape>(shape: Shape) => z.preprocess((value) => value ?? {}, z.object(shape));

/** TRES with their counts. A name is the type, then which one of it: `gres/gpu`. */
const amounts = z.preprocess(
  (value) => value ?? [],
  z
    .array(z.object({ type: text, name: text, count: number }))
    .transform((all) =>
      all.flatMap(({ type, name, count }) =>
        count === undefined || count < 0 ? [] : [{ tres: name === '' ? type : `${type}/${name}`, count }],
      ),
    ),
);

export const association = z.object({
  account: text,
  cluster: text,
  partition: text,
  user: text,
  /** 0 or 1 on v0.0.38. */
  is_default: z
    .union([z.boolean(), z.number(), z.null()])
    .optional()
    .transform((value) => value === true || value === 1),
  flags: words,
  qos: words,
  max: part({
    jobs: part({ per: part({ wall_clock: number }), active: number, total: number }),
    tres: part({ per: part({ job: amounts }), total: amounts }),
  }),
});

export const qos = z.object({
  name: text,
  limits: part({
    max: part({
      wall_clock: part({ per: part({ job: number }) }),
      jobs: part({ active_jobs: part({ per: part({ user: number }) }), per: part({ user: number }) }),
      tres: part({ per: part({ job: amounts, user: amounts }) }),
    }),
  }),
});
