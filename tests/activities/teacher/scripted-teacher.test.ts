import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { ScriptedTeacher } from './scripted-teacher.ts';

it.each(['/v1/chat/completions', '/v1/files'])(
  'a client that is killed in the middle of its request to %s is no error of the scripted teacher',
  async (path) => {
    const teacher = await ScriptedTeacher.start();
    const { hostname, port } = new URL(teacher.baseUrl);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const head = `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 1000\r\n\r\n`;
    await new Promise((resolve) => socket.write(`${head}{"half`, resolve));
    socket.resetAndDestroy();
    await expect.poll(() => teacher.aborted).toBe(1);
    expect(teacher.requests).toEqual([]);
    await teacher.stop();
  },
);

it('tells at its end of a whole request that it could not understand', async () => {
  const teacher = await ScriptedTeacher.start();
  await fetch(`${teacher.baseUrl}/chat/completions`, { method: 'POST', body: '{}' }).catch(() => undefined);
  await expect(teacher.stop()).rejects.toThrow('could not answer');
});
