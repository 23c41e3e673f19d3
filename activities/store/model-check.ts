/**
 * Model check: is this folder a model that a job can load? Settings, tokenizer and image processor are there, and the weights
 * are whole: each safetensors file's header ends where the file does (format: 8 bytes of little-endian length, a JSON header,
 * the data; huggingface/safetensors, README). Only headers are read, so it costs the same for 3 MB and 15 GB.
 */
import * as z from 'zod';
import { readRegularFile, withRegularFile } from '../../files/regular-file.ts';
import { parseJson } from '../../files/json.ts';
import { type ModelFile, modelFault } from './model-files.ts';

const configSchema = z.looseObject({ model_type: z.string().min(1) });
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });
const headerSchema = z.record(
  z.string(),
  z.looseObject({
    shape: z.array(z.int().min(0)).optional(),
    data_offsets: z.tuple([z.int().min(0), z.int().min(0)]).optional(),
  }),
);
const smallFileBytes = 64 * 1024 * 1024;
/** The safetensors library refuses larger headers. */
const headerBytes = 100_000_000;
const lengthBytes = 8;

const weightsName = 'model.safetensors';
const indexName = 'model.safetensors.index.json';
const needed = ['config.json', 'tokenizer_config.json', 'preprocessor_config.json'];

/** Throws `DataInvalid`, which names the file and what is wrong with it. */
export async function checkModel(files: readonly ModelFile[], field: string): Promise<void> {
  const named = new Map(files.map((file) => [file.name, file]));
  for (const name of needed) {
    if (!named.has(name)) throw modelFault(field, name, 'a folder of a Hugging Face model with this file', 'nothing');
  }
  if (!named.has('tokenizer.json') && !named.has('vocab.json')) {
    throw modelFault(field, 'tokenizer.json', 'this file, or vocab.json', 'nothing');
  }
  await checkedJson(named, 'config.json', configSchema, field, 'a JSON object with a model_type');
  for (const name of await shardNames(named, field)) {
    const shard = named.get(name);
    if (shard === undefined) throw modelFault(field, name, 'weights as safetensors', 'nothing');
    await checkShard(shard, field);
  }
}

type Named = ReadonlyMap<string, ModelFile>;

async function shardNames(named: Named, field: string): Promise<string[]> {
  if (!named.has(indexName)) return [weightsName];
  const index = await checkedJson(named, indexName, indexSchema, field, 'a JSON object with a weight_map');
  const names = [...new Set(Object.values(index.weight_map))];
  if (names.length === 0) throw modelFault(field, indexName, 'a weight_map that names files', 'none');
  return names;
}

async function checkedJson<T>(named: Named, name: string, schema: z.ZodType<T>, field: string, expected: string) {
  const file = named.get(name);
  if (file === undefined) throw modelFault(field, name, expected, 'nothing');
  if (file.bytes > smallFileBytes) throw modelFault(field, name, `${expected}, below 64 MiB`, `${file.bytes} bytes`);
  const text = (await readRegularFile(file.path, smallFileBytes)).toString('utf8');
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw modelFault(field, name, expected, JSON.stringify(text.slice(0, 200)));
  return parsed.data;
}

/** Number of the model's parameters, as its weights' headers have them. Throws `DataInvalid` where `checkModel` would. */
export async function countParameters(files: readonly ModelFile[], field: string): Promise<number> {
  const named = new Map(files.map((file) => [file.name, file]));
  let count = 0;
  for (const name of await shardNames(named, field)) {
    const shard = named.get(name);
    if (shard === undefined) throw modelFault(field, name, 'weights as safetensors', 'nothing');
    const { tensors } = await readHeader(shard, field);
    const sizes = Object.values(tensors).map(({ shape }) => (shape ?? [0]).reduce((all, side) => all * side, 1));
    count += sizes.reduce((all, one) => all + one, 0);
  }
  return count;
}

type Header = { length: number; tensors: z.output<typeof headerSchema> };

async function readHeader({ name, path, bytes }: ModelFile, field: string): Promise<Header> {
  const header = await withRegularFile(path, async (file) => {
    const start = Buffer.alloc(lengthBytes);
    await file.read(start, 0, lengthBytes, 0);
    const length = bytes < lengthBytes ? Number.NaN : Number(start.readBigUInt64LE());
    if (!(length <= Math.min(headerBytes, bytes - lengthBytes))) return undefined;
    const text = Buffer.alloc(length);
    await file.read(text, 0, length, lengthBytes);
    return { length, tensors: headerSchema.safeParse(parseJson(text.toString('utf8'))).data };
  });
  if (header?.tensors === undefined) {
    throw modelFault(field, name, 'safetensors that begin with their header', `${bytes} bytes that do not`);
  }
  return { length: header.length, tensors: header.tensors };
}

async function checkShard(file: ModelFile, field: string): Promise<void> {
  const { name, bytes } = file;
  const header = await readHeader(file, field);
  const ends = Object.values(header.tensors).flatMap(({ data_offsets: offsets }) => (offsets ? [offsets[1]] : []));
  if (ends.length === 0) throw modelFault(field, name, 'safetensors with at least one tensor', 'none');
  const size = lengthBytes + header.length + Math.max(...ends);
  if (size !== bytes) throw modelFault(field, name, `${size} bytes, as its header says`, `${bytes} bytes`);
}
