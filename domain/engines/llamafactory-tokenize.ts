/**
 * The SFT mix tokenised by LLaMA-Factory in a job of its own, before a training in which all processes but one would wait for it. Its settings are those of
 * `sft`. Only what determines tokens is in its parameters, so another learning rate tokenises nothing again.
 */
import { type EngineRules, type Misfit, oneProcess } from './engine.ts';
import { besideTokens } from './llamafactory-arguments.ts';

interface Settings {
  cutoff_len: number;
  llamafactory: Readonly<Record<string, string | number | boolean>>;
  tokenize?: { threads: number; resources: { cpus: number } } | undefined;
}

export const llamaFactoryTokenize: EngineRules<Settings> = {
  kind: 'tokenize',
  reach: oneProcess,
  incidental: [],
  params({ cutoff_len, llamafactory }) {
    const counting = Object.entries(llamafactory).filter(([key]) => !besideTokens.has(key));
    return { cutoff_len, llamafactory: Object.fromEntries(counting) };
  },
  planned: (_settings, { records }) => ({ steps: null, rows: records }),
  unitsEach: () => 1,
  ranksPerNode: () => undefined,
  halved: (params) => params,
  misfits: ({ tokenize }) => (tokenize === undefined ? [] : cpuMisfits(tokenize)),
};

function cpuMisfits({ threads, resources }: NonNullable<Settings['tokenize']>): Misfit[] {
  if (resources.cpus >= threads) return [];
  const message = `expected at least ${threads}, one for each of its threads`;
  return [{ path: ['resources', 'cpus'], input: resources.cpus, message }];
}
