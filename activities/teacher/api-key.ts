/**
 * API key: it is read from a file of mode 0600 and held only in memory. It is never put into an environment, an error, a log, a
 * heartbeat or a payload. Where a name is needed, `account` is used.
 */
import { createHash } from 'node:crypto';
import type { ApplicationFailure } from '@temporalio/activity';
import { FileFault, withRegularFile } from '../../files/regular-file.ts';
import { hasCode } from '../store/durable-file.ts';
import { refuse } from '../failure.ts';

/** Twenty times OpenAI's longest. */
const maxKeyBytes = 4096;

/** Reads the key. Throws as `readSecret`. */
export async function readApiKey(path: string): Promise<string> {
  return readSecret(path, 'API key file');
}

/** A secret's file, e.g. with a webhook's URL. Throws a non-retryable `ConfigInvalid` that says what to do if the file is absent, open to others or empty. */
export async function readSecret(path: string, what: string): Promise<string> {
  try {
    return await withRegularFile(path, async (file, { mode, size }) => {
      if ((mode & 0o077) !== 0) {
        throw configInvalid(
          `${what} "${path}": expected mode 0600, got 0${(mode & 0o777).toString(8)}; run: chmod 600 ${path}`,
        );
      }
      if (size > maxKeyBytes) {
        throw configInvalid(`${what} "${path}": expected at most ${maxKeyBytes} bytes, got ${size}`);
      }
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxKeyBytes), 0, maxKeyBytes, 0);
      const key = buffer.toString('utf8', 0, bytesRead).trim();
      if (!/^[\x21-\x7e]+$/.test(key)) {
        throw configInvalid(`${what} "${path}": expected one line of printable characters without spaces`);
      }
      return key;
    });
  } catch (error) {
    if (error instanceof FileFault) throw configInvalid(`${what} ${error.message}`);
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'EACCES')) throw error;
    throw configInvalid(`${what} "${path}": expected a readable file of mode 0600, found none`);
  }
}

/** A name for key and address together. Whoever has the same name shares limits. The key cannot be read from it. */
export function accountName(baseUrl: string, key: string): string {
  return createHash('sha256').update(`${baseUrl}\0${key}`).digest('hex').slice(0, 16);
}

/** `text` without the key, in case a server has quoted it. */
export function withoutKey(text: string, key: string): string {
  return text.replaceAll(key, '[API key]');
}

function configInvalid(message: string): ApplicationFailure {
  return refuse('ConfigInvalid', message);
}
