/** Reading an OpenAPI document just far enough to ask which fields a request or an answer has. */
import * as z from 'zod';

const anything = z.record(z.string(), z.unknown());
type Anything = z.output<typeof anything>;

export class OpenApi {
  readonly #document: Anything;
  readonly #version: string;

  constructor(document: unknown, version: string) {
    this.#document = anything.parse(document);
    this.#version = version;
  }

  /** Names of the fields of a request body, or of what is below the given path in it. */
  request(daemon: string, path: string, ...below: string[]): Set<string> {
    return this.#fields(this.#at(this.#operation(daemon, path, 'post'), 'requestBody', 'content'), below);
  }

  /** Names of the fields of the 200 answer, or of what is below the given path in it. */
  response(daemon: string, path: string, method: string, ...below: string[]): Set<string> {
    return this.#fields(this.#at(this.#operation(daemon, path, method), 'responses', '200', 'content'), below);
  }

  /** Names of an operation's query parameters. */
  queries(daemon: string, path: string, method: string): Set<string> {
    const parameters = z.array(z.unknown()).parse(this.#operation(daemon, path, method)['parameters'] ?? []);
    const named = parameters
      .map((parameter) => this.#resolve(parameter))
      .filter((parameter) => parameter['in'] === 'query');
    return new Set(named.map((parameter) => String(parameter['name'])));
  }

  /** Words that a query parameter may be. */
  values(daemon: string, path: string, method: string, parameter: string): Set<string> {
    const parameters = z.array(z.unknown()).parse(this.#operation(daemon, path, method)['parameters'] ?? []);
    const found = parameters.map((one) => this.#resolve(one)).find(({ name }) => name === parameter);
    return new Set(z.array(z.string()).parse(this.#at(found ?? {}, 'schema')['enum']));
  }

  #operation(daemon: string, path: string, method: string): Anything {
    const paths = this.#at(this.#document, 'paths');
    const wanted = `/${daemon}/${this.#version}/${path}`;
    const found = paths[wanted] ?? paths[`${wanted}/`];
    if (found === undefined) throw new Error(`${wanted} is not in the OpenAPI document`);
    return this.#at(anything.parse(found), method);
  }

  #fields(content: Anything, below: string[]): Set<string> {
    let schema = this.#at(content, 'application/json', 'schema');
    for (const name of below) schema = this.#resolve(this.#properties(schema)[name]);
    return new Set(Object.keys(this.#properties(schema)));
  }

  /** Properties of an object, or of the items of a list; of all parts if it is put together. */
  #properties(schema: Anything): Anything {
    if (schema['items'] !== undefined) return this.#properties(this.#resolve(schema['items']));
    const parts = z.array(z.unknown()).parse(schema['allOf'] ?? schema['oneOf'] ?? schema['anyOf'] ?? []);
    const own = anything.parse(schema['properties'] ?? {});
    return Object.assign({}, own, ...parts.map((part) => this.#properties(this.#resolve(part))));
  }

  #at(from: Anything, ...keys: string[]): Anything {
    let here = from;
    for (const key of keys) {
      if (here[key] === undefined) throw new Error(`"${key}" is not in the OpenAPI document where it was looked for`);
      here = this.#resolve(here[key]);
    }
    return here;
  }

  #resolve(value: unknown): Anything {
    const object = anything.parse(value ?? {});
    const reference = object['$ref'];
    if (typeof reference !== 'string') return object;
    return this.#at(this.#document, ...reference.replace(/^#\//, '').split('/'));
  }
}
