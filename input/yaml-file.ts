/**
 * YAML files that people write → plain values. Anything that is no YAML file of usual size is refused before it is parsed: a pipe, a device, a
 * folder, fifty megabytes, a bomb. What the values mean is checked by whoever reads them.
 */
import { type Document, isScalar, parseDocument, visit } from 'yaml';
import { cut, shown } from '../domain/errors.ts';
import { FileFault, readRegularText } from '../files/regular-file.ts';
import { InputFault } from './input-fault.ts';

/** Twenty times the longest recipe we know. It is parsed in a moment, whatever is in it. */
const maxBytes = 64 * 1024;
/** A recipe has 5 levels (`retries.policy.<class>.<rule>`). With this limit nothing that walks a value runs out of stack. */
const maxDepth = 16;
/** How often anchors may be used, uses within anchors included (the YAML library's own default). */
const maxAliasCount = 100;

/** How a message names the file. */
export interface YamlKind {
  /** E.g. `recipe`. */
  what: string;
  /** The mapping that is expected, e.g. `name, seed, dataset, …`. */
  holds: string;
}

/** The value of a YAML file. Throws an InputFault that names the file and says what was expected. */
export async function readYamlFile(path: string, kind: YamlKind): Promise<unknown> {
  const fault = (expected: string, got: string) =>
    new InputFault(`${kind.what} "${cut(path)}": expected ${expected}, got ${cut(got)}`);
  return parsed(await readText(path, fault), kind, fault);
}

type Fault = (expected: string, got: string) => InputFault;

async function readText(path: string, fault: Fault): Promise<string> {
  try {
    return await readRegularText(path, maxBytes);
  } catch (error) {
    if (error instanceof FileFault) throw fault(error.expected, error.got);
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw fault('a readable YAML file', error.code === 'ENOENT' ? 'no such file' : String(error.code));
  }
}

function parsed(text: string, { holds }: YamlKind, fault: Fault): unknown {
  const tooDeep = () => fault(`YAML of at most ${maxDepth} levels`, 'more');
  // Repeated keys are looked for below, since the library compares each key with each other.
  const document = parseDocument(text, { stringKeys: true, logLevel: 'error', uniqueKeys: false });
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong?.code === 'MULTIPLE_DOCS') throw fault('one YAML document', 'several ("---" begins another)');
  if (wrong?.code === 'RESOURCE_EXHAUSTION') throw tooDeep();
  // The library's first line has the reason and the place. The lines after it quote the text.
  if (wrong !== undefined)
    throw fault('YAML', `text that is not YAML: ${wrong.message.split('\n')[0]?.replace(/:$/, '')}`);
  const repeated = findRepeatedKey(document);
  if (repeated !== undefined) throw fault('each key once in its mapping', `${shown(repeated)} again`);
  if (document.contents === null) throw fault(`a YAML mapping of ${holds}`, 'an empty file');
  try {
    const value: unknown = document.toJS({ maxAliasCount });
    if (isDeeper(value, maxDepth)) throw tooDeep();
    return value;
  } catch (error) {
    // This is how the library says that an alias has no anchor, or that there are too many.
    if (!(error instanceof ReferenceError)) throw error;
    throw fault(`YAML with at most ${maxAliasCount} aliases, each of an anchor before it`, error.message);
  }
}

function findRepeatedKey(document: Document): string | undefined {
  let repeated: string | undefined;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) repeated ??= String(name);
        seen.add(name);
      }
    },
  });
  return repeated;
}

/** Is there anything below level `depth`? True too for a value that holds itself. */
function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1));
}
