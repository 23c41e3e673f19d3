/** API versions and the family that speaks each. */
import type { Adapter } from './adapters/adapter.ts';
import { v38 } from './adapters/v38.ts';
import { v40, v42 } from './adapters/v40.ts';
import type { ApiVersion } from './types.ts';

/** Newest first: the order of probing. v0.0.39 is left out: every release that serves it (23.02 to 24.05) serves 38 or 40. */
export const apiVersions = ['v0.0.45', 'v0.0.44', 'v0.0.43', 'v0.0.42', 'v0.0.41', 'v0.0.40', 'v0.0.38'] as const;

export function adapterOf(version: ApiVersion): Adapter {
  switch (version) {
    case 'v0.0.38':
      return v38;
    case 'v0.0.40':
    case 'v0.0.41':
      return v40;
    case 'v0.0.42':
    case 'v0.0.43':
    case 'v0.0.44':
    case 'v0.0.45':
      return v42;
  }
}
