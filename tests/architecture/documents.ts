/** What the words of this repository point at: files, sections, scripts, variables. Finds what is not there. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const skipped = /(^|\/)(node_modules|coverage|__pycache__|\..+|[^/]*\.egg-info|dist)(\/|$)/;
const withWords = '**/*.{md,ts,mjs,py,sh,yaml,toml}';

/** Files with words in them, relative to the root. */
export function wordedFiles(): string[] {
  const found = globSync(withWords, { cwd: root, exclude: (path) => skipped.test(path) });
  return found.filter((file) => !skipped.test(file)).toSorted();
}

export function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** The prose of a file: a document whole, of a source its comments. Addresses on the web are left out. */
export function prose(file: string, text: string): string {
  const lines = text.split('\n');
  const kept = file.endsWith('.md') ? lines : lines.map((line) => commentOf(file, line));
  return kept.join('\n').replaceAll(/https?:\/\/\S+/g, '');
}

function commentOf(file: string, line: string): string {
  if (/\.(py|sh|yaml|toml)$/.test(file)) return /(?:^|\s)#\s(.*)$/.exec(line)?.[1] ?? '';
  return /^\s*(?:\/\*\*?|\*)\s?(.*)$|(?:^|\s)\/\/\s(.*)$/.exec(line)?.slice(1).join('') ?? '';
}

const rooms = 'activities|bench|cli|docs|domain|files|infra|models|packages|recipes|tests|trainer|workers|workflows';
/** A path from the root into a room, or the name of a document. Not the end of a longer path, nor a pattern. */
const paths = new RegExp(
  String.raw`(?<![\w./<>*~@-])(?:(?:${rooms})/[\w./-]+\.(?:ts|mjs|py|sh|json|yaml|md|txt|jinja)|[\w-]+\.md)(?![\w*<{/-])`,
  'g',
);

/** Paths that this file's prose names and that do not exist, seen from the root, the file's own folder or one above it. */
export function missingPaths(file: string, text: string): string[] {
  const named = new Set([...prose(file, text).matchAll(paths)].map(([path]) => path));
  return [...named].filter((path) => !places(file).some((folder) => existsSync(join(root, folder, path))));
}

function places(file: string): string[] {
  const folders = ['docs'];
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    folders.push(folder);
    if (folder === '.') return folders;
  }
}

/** Relative links of a document whose file, or whose heading in it, does not exist. */
export function brokenLinks(file: string, text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return links.filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(file, text, target));
}

function leadsSomewhere(file: string, text: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const full = path === '' ? file : relative(root, join(root, dirname(file), path));
  if (!existsSync(join(root, full))) return false;
  return anchor === undefined || headings(path === '' ? text : read(full)).includes(anchor);
}

/** Anchors of a document's headings as GitHub makes them. */
function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Sections of CONTRACTS that are cited and not there. */
export function missingSections(file: string, text: string, contracts: string): string[] {
  const known = new Set([...contracts.matchAll(/^## §(\d+) /gm)].map(([, number]) => number));
  const cited = [...prose(file, text).matchAll(/CONTRACTS\.md ((?:(?:, |–| and )?§\d+)+)/g)].flatMap(([, list = '']) =>
    [...list.matchAll(/§(\d+)/g)].map(([, number = '']) => number),
  );
  return cited.filter((number) => !known.has(number)).map((number) => `§${number}`);
}
