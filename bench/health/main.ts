/** `npm run bench:health`: when each recorded training would have been called sick, and which healthy ones would have been by mistake; then the same at their end. */
import { textTable } from '../../domain/text-table.ts';
import { judgeTrace } from './judging.ts';
import { readTraces } from './trace.ts';

const judged = readTraces().map(judgeTrace);
const at = (step: number | null) => (step === null ? 'never' : String(step));
const rows = judged.map(({ name, is, what, steps, warned, sick, kinds, atEnd, endSignals }) => {
  return [name, is, what, String(steps), at(warned), at(sick), kinds.join(' '), [atEnd, ...endSignals].join(' ')];
});
console.log(
  textTable([['trace', 'is', 'what was changed', 'steps', 'one sign', 'sick', 'signs', 'at the end'], ...rows]).join(
    '\n',
  ),
);

const sick = judged.filter(({ is }) => is === 'sick');
const found = sick.flatMap((one) => one.sick ?? []).toSorted((a, b) => a - b);
const healthy = judged.filter(({ is }) => is === 'healthy');
const looks = healthy.reduce((sum, { steps }) => sum + steps, 0);
const alarms = healthy.filter((one) => one.sick !== null).length;
const warnings = healthy.filter(({ warned }) => warned !== null).length;
const endsSick = (is: string) => judged.filter((one) => one.is === is && one.atEnd === 'sick').length;
console.log(`
found: ${found.length} of ${sick.length} sick trainings, after ${found.join(', ')} steps
false alarms: ${alarms} of ${healthy.length} healthy trainings (${looks} looks, one a step); one sign alone in ${warnings}
by the numbers of the whole training: ${endsSick('sick')} of ${sick.length} sick ones are sick, ${endsSick('healthy')} of ${healthy.length} healthy ones`);
