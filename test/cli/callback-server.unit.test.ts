import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { openCallbackServer, type CallbackServer } from '../../src/cli/callback-server.ts';

let callback: CallbackServer | undefined;
afterEach(() => callback?.close());

/** What is answered to a request line as it stands. */
async function sends(port: number, line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  socket.write(`${line} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`);
  await once(socket, 'close');
  return text.split('\r\n')[0] ?? '';
}

test('SEC1 the command line waits for its own login, whatever else comes to where the browser comes back', async () => {
  callback = await openCallbackServer();
  const port = Number(new URL(callback.redirectUri).port);
  const status = async (line: string) => Number((await sends(port, line)).split(' ')[1]);
  // Before anybody was sent anywhere, nobody comes back.
  expect(await status('GET /callback?state=the-state&code=x')).toBe(400);
  const visited = callback.visited('the-state');
  for (const line of [
    'GET //',
    'GET http://',
    'GET /',
    'POST /callback?state=the-state',
    'GET //callback?state=the-state',
  ])
    expect(await status(line)).toBe(404);
  for (const query of ['', '?code=evil', '?state=&code=evil', '?state=guess&code=evil', '?error=access_denied'])
    expect(await status(`GET /callback${query}`)).toBe(400);
  expect(await status('GET /callback?state=the-state&code=good')).toBe(200);
  expect((await visited).searchParams.get('code')).toBe('good');
});
