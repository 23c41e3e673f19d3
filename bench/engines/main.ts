/**
 * bench/engines: what our stage costs beside the bare engine. The same training by our job script and by the engine's own command with the settings that
 * we render, interleaved; wall and CPU seconds, in all and from the start to the first step. The last losses must be equal.
 *
 *   npm run bench:engines -- [--repetitions 3] [--epochs 6] [--together] [--easyr1 PYTHON] [--only easyr1]
 *
 * `--together`: both sides at once, for a machine that does other things too: what it takes from one it takes from the other.
 * `--easyr1`: also EasyR1's own command, with an interpreter whose environment has it (`trainer/environments/install easyr1`).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pythonEnvironment, stackConfig } from '../../infra/local/stack-config.ts';
import { easyR1 } from './easyr1.ts';
import { llamaFactory } from './llamafactory.ts';
import { median, type Timed, timed } from './timed.ts';
import { makeInputs, trainer } from './work.ts';
import type { Contest } from './contest.ts';

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '6' },
    together: { type: 'boolean', default: false },
    easyr1: { type: 'string' },
    only: { type: 'string' },
  },
});
const [repetitions, epochs] = [Number(values.repetitions), Number(values.epochs)];
if (!Number.isInteger(repetitions) || repetitions < 1 || !Number.isInteger(epochs) || epochs < 1) {
  console.error('bench:engines: expected whole numbers, at least 1, for --repetitions and --epochs');
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'engines-'));
const python = join(pythonEnvironment(stackConfig()), 'bin/python');
const inputs = makeInputs(folder, python);
const contests = [llamaFactory({ python, inputs, epochs })];
if (values.easyr1 !== undefined) contests.push(easyR1({ python: values.easyr1, inputs }));
for (const contest of contests) {
  if (values.only === undefined || values.only === contest.name.toLowerCase()) await hold(contest);
}
for (const made of [folder, trainer]) rmSync(made, { recursive: true });

async function hold(contest: Contest): Promise<void> {
  const load = loadavg()[0] ?? NaN;
  const found: { ours: Timed[]; bare: Timed[] } = { ours: [], bare: [] };
  for (let round = 0; round < repetitions; round += 1) {
    // Who goes first changes, so that neither always finds the machine as the other left it.
    const sides = round % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const);
    const prepared = sides.map((side) => ({
      side,
      ...contest[side](join(folder, `${contest.name}-${side}-${round}`)),
    }));
    const run = async ({ side, command }: (typeof prepared)[number]) => {
      const one = await timed(command);
      found[side].push(one);
      console.log(
        `${contest.name} ${side}: ${one.wall.toFixed(1)} s, CPU ${one.cpu.toFixed(1)} s, first step after ${one.firstStep.toFixed(1)} s, CPU ${one.firstStepCpu.toFixed(1)} s`,
      );
    };
    if (values.together) await Promise.all(prepared.map(run));
    else for (const one of prepared) await run(one);
    const ends = prepared.map(({ end }) => end());
    if (ends[0] !== ends[1]) throw new Error(`${contest.name}: not the same work: ${ends.join(' and ')}`);
  }
  report(contest, found, load);
}

/** Rows of bench/README.md. */
function report({ name, work, isWaitedFor }: Contest, found: { ours: Timed[]; bare: Timed[] }, load: number): void {
  const of = (side: 'ours' | 'bare', what: keyof Timed) => median(found[side].map((one) => one[what]));
  const line = (what: keyof Timed, label: string) => {
    const [ours, bare] = [of('ours', what), of('bare', what)];
    return `| ${name}: ${label} | ${ours.toFixed(1)} | ${bare.toFixed(1)} | ${(ours / bare).toFixed(3)} |`;
  };
  console.log(
    `\n${work}; medians of ${repetitions}, ${values.together ? 'both at once, ' : ''}load ${load.toFixed(1)} at the start\n`,
  );
  console.log('| | ours | bare | ratio |\n| --- | --- | --- | --- |');
  console.log(line('wall', 'wall seconds'));
  console.log(line('firstStep', 'wall seconds to the first step'));
  if (isWaitedFor) {
    console.log(line('cpu', 'CPU seconds'));
    console.log(line('firstStepCpu', 'CPU seconds to the first step'));
  }
}
