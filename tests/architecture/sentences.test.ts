/** Sentences of the documents that the code can contradict, held against the code. */
import { describe, expect, it } from 'vitest';
import { attemptFiles, failureClasses, searchAttributes, taskQueues } from '../../domain/names.ts';
import { read, wordedFiles } from './documents.ts';

const architecture = read('docs/ARCHITECTURE.md');
const contracts = read('docs/CONTRACTS.md');
const workflows = wordedFiles().filter((file) => /^workflows\/.*\.ts$/.test(file));

/** The text of a document between a heading and the next one. */
function section(text: string, heading: string): string {
  const [, after] = text.split(`\n${heading}`);
  if (after === undefined) throw new Error(`there is no section "${heading}"`);
  return after.split('\n## ')[0] ?? '';
}

describe('ARCHITECTURE', () => {
  it('lists the exit codes that the trainer has', () => {
    const [, codes = ''] = /^OK, .* = ([\d, ]+)$/m.exec(read('trainer/critic_trainer/failures.py')) ?? [];
    const listed = section(architecture, '## Exit codes of the trainer').match(/\b\d+(?= \p{L})/gu) ?? [];
    expect(listed.map(Number).toSorted((a, b) => a - b)).toEqual(codes.split(', ').map(Number));
    expect(listed.length).toBeGreaterThan(5);
  });

  it('names every file of an attempt', () => {
    const named = section(architecture, '## The attempt directory');
    expect(Object.values(attemptFiles).filter((file) => !named.includes(file))).toEqual([]);
  });

  it.each(['prepareAttempt', 'submitJob', 'watchJob', 'captureStacks', 'collectAttempt', 'publishJob'])(
    'says that run-slurm-job alone knows a job’s life: %s is asked for there only',
    (activity) => {
      const asking = workflows.filter((file) => new RegExp(`\\b${activity}\\b`).test(read(file)));
      expect(asking).toEqual(['workflows/jobs/run-slurm-job.ts']);
    },
  );
});

describe('CONTRACTS', () => {
  it('says what follows each class of failure', () => {
    const listed = section(contracts, '## §5').matchAll(/`([a-z-]+)`(?=[^|\n]*\|)/g);
    expect([...listed].map(([, name = '']) => name).toSorted()).toEqual([...failureClasses].toSorted());
  });

  it('names every task queue and search attribute', () => {
    const temporal = section(contracts, '## §8');
    const names = [...Object.values(taskQueues), ...Object.keys(searchAttributes)];
    expect(names.filter((name) => !temporal.includes(`\`${name}\``))).toEqual([]);
  });
});
