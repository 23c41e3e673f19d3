import { expect, it } from 'vitest';
import { parseJson } from '../../files/json.ts';

it.each<[string, string, unknown]>([
  ['an object', '{"a":1}', { a: 1 }],
  ['null is a value', 'null', null],
  ['a line cut off', '{"a":', undefined],
  ['no text at all', '', undefined],
])('%s', (_name, text, value) => {
  expect(parseJson(text)).toEqual(value);
});
