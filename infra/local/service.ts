/** Service: one process of the local stack. */
import type { Launch } from './processes.ts';

export interface Service {
  name: string;
  /** Names of services that must be ready before. */
  after: string[];
  /** TCP port, for the status table. */
  port?: number;
  launch(): Omit<Launch, 'log' | 'fingerprint'>;
  /** Throws until the service is ready. */
  ready(): Promise<void>;
  deadlineSeconds: number;
}
