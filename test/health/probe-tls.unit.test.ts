import { afterEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { SELF_SIGNED } from './certificate.ts';
import { at, Bench, grpcCheck, httpCheck, silent, timed } from './targets.ts';

const bench = new Bench();
afterEach(() => bench.close());

const https = () => bench.https((_, response) => response.end('ok'));
const SELF_SIGNED_REASON = 'the certificate is signed by nobody but itself';

describe('TLS', () => {
  test('a certificate that nobody vouches for fails, unless the check does not mind', async () => {
    const { port } = await https();
    const prober = bench.prober();
    expect(await prober.probe(at(port, httpCheck({ tls: true })))).toEqual({
      status: 'critical',
      reason: `GET https://127.0.0.1:${port}/health: ${SELF_SIGNED_REASON}`,
    });
    const finding = await prober.probe(at(port, httpCheck({ tls: true, tlsVerify: false })));
    expect(finding).toEqual({ status: 'passing', reason: 'answered 200' });
  });

  test('a connection that was not verified is kept, but never for a check that verifies', async () => {
    const server = await https();
    const prober = bench.prober();
    for (let i = 0; i < 5; i++) {
      const finding = await prober.probe(at(server.port, httpCheck({ tls: true, tlsVerify: false })));
      expect(finding.status).toBe('passing');
      await sleep(5);
    }
    expect(server.connections).toBe(1);
    expect((await prober.probe(at(server.port, httpCheck({ tls: true })))).reason).toMatch(SELF_SIGNED_REASON);
    prober.forget({ address: '127.0.0.1', port: server.port });
    await sleep(20);
    expect(server.open.size).toBe(0);
  });

  test('a name is sent and an address is not', async () => {
    const seen: unknown[] = [];
    const server = createTlsServer(SELF_SIGNED, (socket: TLSSocket & { servername?: unknown }) => {
      seen.push(socket.servername);
      socket.on('error', () => undefined).resume();
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    const { port } = await bench.listen(server);
    const prober = bench.prober({ lookup: async () => ['127.0.0.1'] });
    for (const address of ['iam.internal', '127.0.0.1']) {
      const { status } = await prober.probe(
        at(port, httpCheck({ tls: true, tlsVerify: false, headers: { host: 'x.y' } }), address),
      );
      expect(status).toBe('passing');
    }
    expect(seen).toEqual(['iam.internal', false]);
  });

  test.each([httpCheck({ tls: true, timeout: '200ms' }), grpcCheck({ tls: true, timeout: '200ms' })])(
    'INS1: a handshake that hangs ends in time: $type',
    async (check) => {
      const server = await bench.raw(silent);
      const { finding, ms } = await timed(bench.prober().probe(at(server.port, check)));
      expect(finding).toEqual({ status: 'critical', reason: 'no answer within 200ms' });
      expect(ms).toBeLessThan(1500);
      await sleep(20);
      expect(server.open.size).toBe(0);
    },
  );

  test('a server that does not speak it, and one that speaks nothing else', async () => {
    const plain = await bench.http((_, response) => response.end());
    const prober = bench.prober();
    const secure = await https();
    expect((await prober.probe(at(plain.port, httpCheck({ tls: true })))).reason).toMatch(
      /: the TLS handshake failed$/,
    );
    expect((await prober.probe(at(plain.port, grpcCheck({ tls: true })))).reason).toBe('the TLS handshake failed');
    expect((await prober.probe(at(secure.port, httpCheck()))).reason).toMatch(
      /: the connection was closed without an answer$/,
    );
  });

  test('a server that refuses HTTP/2, and one that ignores that it is offered, have no gRPC', async () => {
    const refusing = await https();
    let bytes = 0;
    const ignoring = await bench.listen(
      createTlsServer(SELF_SIGNED, (socket) => {
        socket.on('error', () => undefined).on('data', (chunk) => (bytes += chunk.length));
      }),
    );
    const prober = bench.prober();
    for (const { port } of [refusing, ignoring]) {
      const { reason } = await prober.probe(at(port, grpcCheck({ tls: true, tlsVerify: false })));
      expect(reason).toBe('the server does not speak HTTP/2');
    }
    expect((await prober.probe(at(ignoring.port, grpcCheck({ tls: true })))).reason).toBe(SELF_SIGNED_REASON);
    await sleep(10);
    expect(bytes).toBe(0);
  });

  test('a certificate that is vouched for has to be for the registered name or address', async () => {
    const { port } = await https();
    const directory = mkdtempSync(join(tmpdir(), 'signalbox-ca-'));
    bench.onClose(() => rmSync(directory, { recursive: true }));
    const authority = join(directory, 'ca.pem');
    writeFileSync(authority, SELF_SIGNED.cert);
    // Node reads its authorities once, when it starts.
    const script = `
      import { createEgress } from '${resolve('src/health/egress.ts')}';
      import { createProber } from '${resolve('src/health/prober.ts')}';
      const now = () => performance.now();
      const resolver = { resolve: async () => ({ addresses: ['127.0.0.1'] }) };
      const prober = createProber({ egress: createEgress({ allowLoopback: true, deny: [] }), now, resolver });
      const check = ${JSON.stringify(httpCheck({ tls: true }))};
      const probe = (address) => prober.probe({ service: 'iam.example', address, port: ${port}, check });
      const findings = [];
      for (const address of ['localhost', '127.0.0.1', 'other.example']) findings.push(await probe(address));
      console.log(JSON.stringify(findings));
      prober.close();
    `;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const env = { ...process.env, NODE_OPTIONS: '', NODE_EXTRA_CA_CERTS: authority };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 20_000 });
    expect(JSON.parse(stdout)).toEqual([
      { status: 'passing', reason: 'answered 200' },
      { status: 'passing', reason: 'answered 200' },
      {
        status: 'critical',
        reason: `GET https://other.example:${port}/health: the certificate is for another host`,
      },
    ]);
  });
});
