import { once } from 'node:events';
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterEach, expect, test } from '@jest/globals';
import { loadSidecarConfig } from '../../src/sidecar/config/read.ts';
import { startSidecar } from '../../src/sidecar/sidecar.ts';
import { until } from '../kit/until.ts';
import { Authority } from '../support/openssl.ts';
import { EngineNetwork } from './engine-network.ts';
import { Ends } from './egress-rig.ts';

const ends = new Ends();
afterEach(() => ends.all());

/** The name in the certificate that a listener shows. */
async function shown(port: number | undefined): Promise<string | undefined> {
  const socket = connect({ port: port ?? 0, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

/** At once: what is read meanwhile is one or the other, and no part of it. */
function replace(file: string, by: string): void {
  copyFileSync(by, `${file}.new`);
  renameSync(`${file}.new`, file);
}

test('a renewed certificate is shown to new connections, half of a change is waited for, and open ones go on', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sidecar-'));
  ends.add(() => rmSync(directory, { recursive: true }));
  const authority = new Authority(directory, 'authority');
  const [old, renewed] = [authority.issue({ subject: '/CN=old' }), authority.issue({ subject: '/CN=renewed' })];
  const [cert, key] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
  copyFileSync(old.certFile, cert);
  copyFileSync(old.keyFile, key);
  const loaded = loadSidecarConfig(
    `
metrics: {enabled: false}
shutdown: {settle: 0ms, drain: 100ms}
egress: {port: 0, tlsCert: "${cert}", tlsKey: "${key}"}
ingress: {service: web.example.com, host: 127.0.0.1, port: 0, tlsCert: "${cert}", tlsKey: "${key}"}`,
    {},
  );
  if (!loaded.ok) throw new Error(loaded.errors.join('\n'));
  const said: string[] = [];
  const note = (_: object, message: string): void => void said.push(message);
  const answer = { status: 401, body: {} };
  const sidecar = await startSidecar(loaded.config, {
    network: new EngineNetwork(),
    guard: { check: () => Promise.resolve({ type: 'refused', subject: 'x', why: 'test', answer }) },
    own: { serverInfo: () => answer, listLoggers: () => answer, setLoggers: () => answer },
    log: { debug: () => {}, info: note, warn: note, error: note },
    id: 'one',
    certificatesMs: 20,
  });
  ends.add(() => sidecar.close());
  const { egress, ingress } = sidecar.ports;
  expect([await shown(egress), await shown(ingress)]).toEqual(['old', 'old']);
  const open = connectHttp2(`https://127.0.0.1:${ingress}`, { rejectUnauthorized: false });
  ends.add(() => open.destroy());
  await once(open, 'connect');

  const refusals = (): number => said.filter((message) => message.includes('cannot be used')).length;
  replace(cert, renewed.certFile);
  await until(() => refusals() === 2);
  await sleep(100);
  // Once for each listener, however often it is looked at.
  expect([refusals(), await shown(egress), await shown(ingress)]).toEqual([2, 'old', 'old']);
  writeFileSync(key, '');
  await until(() => refusals() === 4);
  replace(key, renewed.keyFile);
  await until(async () => (await shown(egress)) === 'renewed' && (await shown(ingress)) === 'renewed');
  const stream = open.request({ ':path': '/health' });
  expect((await stream.toArray()).join('')).toBe('OK');
});
