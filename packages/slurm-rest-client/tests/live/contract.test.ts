/**
 * The contract: every field that this client sends or reads must be in the server's own OpenAPI document. What the document
 * lacks although the server has it is listed here, with the reason; a list that is no longer true fails too.
 */
import { afterAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { adapterOf } from '../../src/versions.ts';
import * as wire from '../../src/wire.ts';
import { fullJob } from '../unit/scripted-server.ts';
import { OpenApi } from './openapi.ts';
import { connectTo, servers } from './servers.ts';

/** Fields that are read where a version has them: first and last minor version of each. */
const onlyIn: Record<string, [first: number, last: number]> = {
  'job.stdout_expanded': [43, 99],
  'job.stderr_expanded': [43, 99],
  'job.failed_node': [39, 99],
  'row.stdout_expanded': [41, 99],
  'row.stderr_expanded': [41, 99],
  'row.restart_cnt': [42, 99],
  'row.failed_node': [40, 99],
  'ping.ping': [38, 38],
  'ping.pinged': [39, 44],
  'ping.mode': [38, 44],
  'ping.responding': [42, 99],
  'ping.primary': [42, 99],
  'node.state_flags': [38, 38],
};

const fullUpdate = { comment: 'x', timeLimitMinutes: 9, excludedNodes: ['a'], partition: 'p', hold: true };

/** Errors of the v0.0.38 document: what 22.05.8 takes or sends all the same. */
const missingIn38: Record<string, string> = {
  'sent.exclude_nodes':
    'the document has excluded_nodes, a disabled key of the server (job_params in openapi/v0.0.38/jobs.c)',
  'updated.exclude_nodes': 'the same; jobs.test.ts sees that it is taken',
  'sent.no_requeue':
    'the document has requeue alone, which means yes with any value; jobs.test.ts sees what no_requeue does',
  'account.is_default': 'not in the document; the test of accounts below sees it',
  'account.qos': 'the document has QOS; the test of accounts below sees qos',
};

describe.each(servers())('on $name', (row) => {
  const client = connectTo(row);
  afterAll(async () => client.close());

  test('every field that is sent or read is in the OpenAPI document', async () => {
    const { apiVersion } = await client.connect();
    const api = new OpenApi(await client.openApi(), apiVersion);
    const sent = z.object({ job: z.looseObject({}) }).parse(adapterOf(apiVersion).submission(fullJob).body);
    const tables: [string, string[], Set<string>][] = [
      ['submission', Object.keys(sent), api.request('slurm', 'job/submit')],
      ['sent', Object.keys(sent.job), api.request('slurm', 'job/submit', 'job')],
      ['updated', Object.keys(adapterOf(apiVersion).update(fullUpdate)), api.request('slurm', 'job/{job_id}')],
      ['submitted', Object.keys(wire.submitAnswer.shape), api.response('slurm', 'job/submit', 'post')],
      ['job', Object.keys(wire.currentJob.shape), api.response('slurm', 'job/{job_id}', 'get', 'jobs')],
      ['job', Object.keys(wire.currentJob.shape), api.response('slurm', 'jobs', 'get', 'jobs')],
      ['row', Object.keys(wire.accountingJob.shape), api.response('slurmdb', 'jobs', 'get', 'jobs')],
      ['row', Object.keys(wire.accountingJob.shape), api.response('slurmdb', 'job/{job_id}', 'get', 'jobs')],
      ['row.state', ['current', 'reason'], api.response('slurmdb', 'jobs', 'get', 'jobs', 'state')],
      ['row.time', ['submission', 'start', 'end', 'limit'], api.response('slurmdb', 'jobs', 'get', 'jobs', 'time')],
      ['account', Object.keys(wire.association.shape), api.response('slurmdb', 'associations', 'get', 'associations')],
      ['qos', Object.keys(wire.qos.shape), api.response('slurmdb', 'qos', 'get', 'qos')],
      ['ping', Object.keys(wire.ping.shape), api.response('slurm', 'ping', 'get', 'pings')],
      ['load', Object.keys(wire.statistics.shape), api.response('slurm', 'diag', 'get', 'statistics')],
      ['node', Object.keys(wire.node.shape), api.response('slurm', 'nodes', 'get', 'nodes')],
      ['partition', Object.keys(partitionShape(apiVersion)), api.response('slurm', 'partitions', 'get', 'partitions')],
    ];
    if (adapterOf(apiVersion).hasKillStatus) {
      const killed = api.response('slurm', 'job/{job_id}', 'delete', 'status');
      tables.push(['killed', Object.keys(wire.killStatus.shape), killed]);
    }
    const missing = tables.flatMap(([name, fields, there]) =>
      fields.filter((field) => !there.has(field)).map((field) => `${name}.${field}`),
    );
    const minor = Number(apiVersion.split('.')[2]);
    const elsewhere = Object.keys(onlyIn).filter((field) => !inVersion(field, minor));
    const listed = apiVersion === 'v0.0.38' ? Object.keys(missingIn38) : [];
    expect([...new Set(missing)].filter((field) => !elsewhere.includes(field) && !listed.includes(field))).toEqual([]);
    expect(listed.filter((field) => !missing.includes(field))).toEqual([]);
  });

  test('accounts and QOS are read', async () => {
    const own = (await client.associations(row.user)).filter(({ user }) => user === row.user);
    expect(own).toMatchObject([{ isDefault: true, qos: expect.arrayContaining(['normal']) }]);
    expect((await client.qos()).map(({ name }) => name)).toContain('normal');
  });

  test('every query that is sent is in the OpenAPI document', async () => {
    const { apiVersion } = await client.connect();
    const api = new OpenApi(await client.openApi(), apiVersion);
    const adapter = adapterOf(apiVersion);
    expect([...api.queries('slurmdb', 'jobs', 'get')]).toEqual(
      expect.arrayContaining(['job_name', ...Object.keys(adapter.sinceQuery(0))]),
    );
    expect([...api.queries('slurm', 'job/{job_id}', 'delete')]).toEqual(
      expect.arrayContaining(Object.keys(adapter.signalQuery('USR2', 'all'))),
    );
    // v0.0.38 has no flags: it refuses any target but all.
    const targets = adapter.hasJobStates ? (['all', 'batch', 'steps'] as const) : [];
    const words = adapter.hasJobStates ? api.values('slurm', 'job/{job_id}', 'delete', 'flags') : new Set<string>();
    const flags = targets.map((target) => adapter.signalQuery('USR2', target)['flags']);
    expect([...words]).toEqual(expect.arrayContaining(flags));
    const stateQueries = adapter.hasJobStates ? api.queries('slurm', 'jobs/state', 'get') : new Set(['job_id']);
    expect([...stateQueries]).toContain('job_id');
  });
});

function partitionShape(version: string): object {
  return version === 'v0.0.38' ? wire.partition38.shape : wire.partition40.shape;
}

function inVersion(field: string, minor: number): boolean {
  const [first, last] = onlyIn[field] ?? [0, 99];
  return first <= minor && minor <= last;
}
