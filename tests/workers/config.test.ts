import { describe, expect, it } from 'vitest';
import { workerConfig } from '../../workers/config.ts';

const whole = {
  CRITIC_TEMPORAL_ADDRESS: 'temporal:7233',
  CRITIC_SLURM_URL: 'http://slurm:6820',
  CRITIC_SLURM_USER: 'critic',
  CRITIC_SLURM_TOKEN_FILE: '/etc/critic/slurm.token',
  CRITIC_STORE: '/shared/critic',
  CRITIC_PYTHON: '/shared/env/bin/python',
  CRITIC_TRAINER_SOURCE: '/src/trainer',
  CRITIC_JOB_SCRIPT: '/src/job.sh',
  CRITIC_LLM_API_KEY_FILE: '/etc/critic/openai.key',
};

describe('the worker’s environment', () => {
  it('may be what README names, and nothing else', () => {
    expect(workerConfig(whole)).toMatchObject({ CRITIC_TEMPORAL_NAMESPACE: 'default', CRITIC_MODEL_ROOTS: [] });
  });

  it('has the address of pages without a slash at its end, and takes no other than http', () => {
    const { CRITIC_PAGES_URL: pages } = workerConfig({ ...whole, CRITIC_PAGES_URL: 'http://pages:8080/critic/' });
    expect(pages).toBe('http://pages:8080/critic');
    expect(() => workerConfig({ ...whole, CRITIC_PAGES_URL: 'pages' })).toThrow('CRITIC_PAGES_URL: expected a URL');
  });

  it('is refused with every missing or wrong variable, and where they are described', () => {
    const { CRITIC_STORE: _, CRITIC_SLURM_USER: __, ...rest } = whole;
    const refused = () =>
      workerConfig({
        ...rest,
        CRITIC_CLUSTER: 'a@b',
        CRITIC_SLURM_URL: 'slurm:6820',
        CRITIC_PYTHON: 'python',
        CRITIC_MODEL_ROOTS: 'm',
      });
    expect(refused).toThrow(
      [
        'the worker\'s environment is not usable (docs/OPERATIONS.md, "Your own cluster", lists the variables):',
        '  CRITIC_CLUSTER: expected 1 to 24 of letters, digits, ".", "_" and "-", no leading dot, got "a@b"',
        '  CRITIC_SLURM_URL: expected a URL with http:// or https://, got "slurm:6820"',
        '  CRITIC_SLURM_USER: expected a user’s name, got nothing',
        '  CRITIC_STORE: expected an absolute path, got nothing',
        '  CRITIC_PYTHON: expected an absolute path, got "python"',
        '  CRITIC_MODEL_ROOTS.0: expected an absolute path, got "m"',
      ].join('\n'),
    );
  });
});
