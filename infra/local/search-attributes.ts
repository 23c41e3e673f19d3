/** Search attributes, registered at every start: a dev server with a database file ignores its own flag for them. */
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../../domain/names.ts';

/** temporal.api.enums.v1.IndexedValueType; the CommonJS enum cannot be imported by name. */
const kinds = { KEYWORD: 2, DOUBLE: 4, DATETIME: 6 } as const;

/** Adds what is missing; safe to repeat. Throws until the server answers. */
export async function registerSearchAttributes(address: string, namespace = 'default'): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '2 seconds' });
  try {
    const known = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = Object.entries(searchAttributes).filter(([name]) => known.customAttributes[name] === undefined);
    if (missing.length === 0) return;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, kind]) => [name, kinds[kind]])),
    });
  } finally {
    await connection.close();
  }
}
