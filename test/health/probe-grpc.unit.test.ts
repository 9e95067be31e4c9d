import { afterEach, describe, expect, test } from '@jest/globals';
import { Metadata, Server, ServerCredentials, type handleUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeResponse, encodeRequest } from '../../src/health/grpc-message.ts';
import { SELF_SIGNED } from './certificate.ts';
import { at, Bench, flood, grpcCheck, timed } from './targets.ts';

const bench = new Bench();
afterEach(() => bench.close());

interface HealthRequest {
  readonly service: string;
}

/** The service as the generated code of a real server would have it. */
const HEALTH: ServiceDefinition = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: ({ service }: HealthRequest) => encodeRequest(service).subarray(5),
    requestDeserialize: (bytes: Buffer): HealthRequest => ({ service: bytes.subarray(2).toString() }),
    responseSerialize: (status: number) => Buffer.from(status === 0 ? [] : [0x08, status]),
    responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
  },
};

async function grpcServer(check: handleUnaryCall<HealthRequest, number> | undefined, tls = false): Promise<number> {
  const server = new Server();
  if (check !== undefined) server.addService(HEALTH, { Check: check });
  const pair = { private_key: Buffer.from(SELF_SIGNED.key), cert_chain: Buffer.from(SELF_SIGNED.cert) };
  const credentials = tls ? ServerCredentials.createSsl(null, [pair]) : ServerCredentials.createInsecure();
  bench.onClose(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

/** An HTTP/2 server that answers as it likes. */
const http2Server = (onStream: (stream: ServerHttp2Stream) => void) => {
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    onStream(stream);
  });
  server.on('sessionError', () => undefined);
  return bench.listen(server);
};

const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

const answering = (frame: Buffer, trailers: Record<string, string> = { 'grpc-status': '0' }) =>
  http2Server((stream) => {
    stream.respond(GRPC, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(frame);
  });

describe('a gRPC check of a real server', () => {
  test.each([
    [1, 'passing', 'answered serving'],
    [2, 'critical', 'answered that the server is not serving'],
    [0, 'critical', 'answered that the server is unknown'],
    [3, 'critical', 'answered that the server is service unknown'],
    [7, 'critical', 'answered that the server is unknown'],
  ])('status %i is %s', async (serving, status, reason) => {
    const port = await grpcServer((_, answer) => answer(null, serving));
    expect(await bench.prober().probe(at(port, grpcCheck()))).toEqual({ status, reason });
  });

  test('over TLS, verified or not', async () => {
    const port = await grpcServer((_, answer) => answer(null, 1), true);
    const prober = bench.prober();
    expect((await prober.probe(at(port, grpcCheck({ tls: true, tlsVerify: false })))).status).toBe('passing');
    expect((await prober.probe(at(port, grpcCheck({ tls: true })))).reason).toBe(
      'the certificate is signed by nobody but itself',
    );
  });

  test('INS6: the service that is asked about, with the id of the service', async () => {
    const asked: [string, string, unknown][] = [];
    const port = await grpcServer((call, answer) => {
      asked.push([call.request.service, call.getHost(), call.metadata.get('user-agent')[0]]);
      answer(null, 1);
    });
    const prober = bench.prober();
    const long = 'x'.repeat(200);
    for (const service of ['', 'a.B', 'health.{serviceId}', long])
      expect((await prober.probe(at(port, grpcCheck({ service })))).status).toBe('passing');
    const from = [`127.0.0.1:${port}`, 'signalbox-check'] as const;
    expect(asked).toEqual([
      ['', ...from],
      ['a.B', ...from],
      ['health.iam.example', ...from],
      [expect.stringContaining(long), ...from],
    ]);
  });

  test.each([
    [5, 'whatever', 'the service a.B is not known to the health service there'],
    [14, '', 'answered the gRPC status 14'],
    [13, 'café 100% \u202E\u0007now\n', 'answered the gRPC status 13: café 100% now'],
    [2, 'x'.repeat(500), `answered the gRPC status 2: ${'x'.repeat(99)}…`],
  ])('the error %i is critical', async (code, details, reason) => {
    const port = await grpcServer((_, answer) => answer({ code, details, metadata: new Metadata() }));
    const finding = await bench.prober().probe(at(port, grpcCheck({ service: 'a.B' })));
    expect(finding).toEqual({ status: 'critical', reason });
  });

  test('a server without the health service says so', async () => {
    const port = await grpcServer(undefined);
    expect((await bench.prober().probe(at(port, grpcCheck()))).reason).toBe(
      'the server has no health service (grpc.health.v1)',
    );
  });

  test('INS1: one that does not answer is critical when its time is up', async () => {
    const port = await grpcServer(() => undefined);
    const { finding, ms } = await timed(bench.prober().probe(at(port, grpcCheck({ timeout: '200ms' }))));
    expect(finding).toEqual({ status: 'critical', reason: 'no answer within 200ms' });
    expect(ms).toBeLessThan(1500);
  });
});

describe('SEC4: what is no gRPC is critical, and bounded', () => {
  const SERVING = Buffer.from([0, 0, 0, 0, 2, 8, 1]);

  test('an HTTP/1 server', async () => {
    const { port } = await bench.http((_, response) => response.end());
    expect((await bench.prober().probe(at(port, grpcCheck()))).reason).toBe('the server does not speak HTTP/2');
  });

  test('nobody listens', async () => {
    const port = await bench.unusedPort();
    expect((await bench.prober().probe(at(port, grpcCheck()))).reason).toBe('connection refused');
  });

  test.each<[string, (stream: ServerHttp2Stream) => void, RegExp]>([
    ['another status', (stream) => stream.respond({ ':status': 503 }), /^answered the HTTP status 503$/],
    ['a redirect', (stream) => stream.respond({ ':status': 302, location: '/' }), /^answered the HTTP status 302$/],
    ['a page', (stream) => stream.respond({ ':status': 200, 'content-type': 'text/html' }), /^the answer is not gRPC$/],
    [
      'no trailers',
      (stream) => {
        stream.respond(GRPC);
        stream.end(SERVING);
      },
      /^the answer is not gRPC$/,
    ],
    ['a reset', (stream) => stream.close(2), /./],
    ['a quiet reset', (stream) => stream.close(0), /./],
    ['a cancellation', (stream) => stream.close(8), /./],
    ['a farewell', (stream) => stream.session?.goaway(2), /./],
    ['a close', (stream) => stream.session?.destroy(), /^the connection was closed without an answer$/],
    [
      'a message without end',
      (stream) => {
        stream.respond(GRPC);
        const more = (): void => {
          while (!stream.destroyed && stream.write(Buffer.alloc(16_384)));
        };
        stream.on('drain', more);
        more();
      },
      /^the answer is too large$/,
    ],
    [
      'pings without end',
      (stream) => {
        const timer = setInterval(() => {
          for (let i = 0; i < 10; i++) stream.session?.ping(() => undefined);
          for (let i = 0; i < 2000; i++) stream.session?.settings({ initialWindowSize: 65_535 - i });
        }, 1);
        stream.session?.on('close', () => clearInterval(timer));
      },
      /./,
    ],
  ])('%s', async (_, onStream, reason) => {
    const server = await http2Server(onStream);
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, grpcCheck({ timeout: '1s' }))));
    expect(finding.status).toBe('critical');
    expect(finding.reason).toMatch(reason);
    expect(ms).toBeLessThan(2500);
    await sleep(30);
    expect(server.open.size).toBe(0);
  });

  test('frames without end that nobody is told of', async () => {
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // An unknown type of frame, which is to be skipped.
    const unknown = Buffer.concat([Buffer.from([0, 0x3f, 0, 0xee, 0, 0, 0, 0, 0]), Buffer.alloc(0x3f00)]);
    const server = await bench.raw((socket) => {
      socket.write(settings);
      flood(socket, unknown, 8 * 1024 ** 3);
    });
    const { finding, ms } = await timed(bench.prober().probe(at(server.port, grpcCheck({ timeout: '5s' }))));
    expect(finding).toEqual({ status: 'critical', reason: 'the answer is too large' });
    expect(ms).toBeLessThan(1000);
    await sleep(50);
    expect(server.open.size).toBe(0);
  });

  test.each<[string, number[]]>([
    ['nothing', []],
    ['half a frame', [0, 0, 0]],
    ['a message that is too short', [0, 0, 0, 0, 3, 8, 1]],
    ['a message that is too long', [0, 0, 0, 0, 2, 8, 1, 0]],
    ['a compressed message', [1, 0, 0, 0, 2, 8, 1]],
    ['a length beyond all bounds', [0, 0xff, 0xff, 0xff, 0xff, 8, 1]],
    ['no protobuf', [0, 0, 0, 0, 2, 0xff, 0xff]],
  ])('%s where the message should be', async (_, bytes) => {
    const { port } = await answering(Buffer.from(bytes));
    expect((await bench.prober().probe(at(port, grpcCheck()))).reason).toBe('the answer is no health check response');
  });

  test('a message of more than 64 KiB, whatever is in it', async () => {
    const padded = (length: number) => {
      const message = Buffer.from([
        8,
        1,
        0x12,
        ...[length & 127, (length >> 7) & 127].map((bits) => bits | 128),
        length >> 14,
      ]);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length + length, 1);
      return Buffer.concat([prefix, message, Buffer.alloc(length)]);
    };
    const [good, bad] = [await answering(padded(64_000)), await answering(padded(66_000))];
    const prober = bench.prober();
    expect((await prober.probe(at(good.port, grpcCheck()))).reason).toBe('answered serving');
    expect((await prober.probe(at(bad.port, grpcCheck()))).reason).toBe('the answer is too large');
  });

  test.each([
    ['OK', /^the answer is not gRPC$/],
    ['-1', /^the answer is not gRPC$/],
    ['00', /^answered serving$/],
    ['16', /^answered the gRPC status 16: %zz$/],
  ])('the trailing status %s', async (status, reason) => {
    const { port } = await answering(SERVING, { 'grpc-status': status, 'grpc-message': '%zz' });
    expect((await bench.prober().probe(at(port, grpcCheck()))).reason).toMatch(reason);
  });
});

describe('the messages', () => {
  const framed = (...bytes: number[]) => Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);

  test('a request', () => {
    expect([...encodeRequest('')]).toEqual([0, 0, 0, 0, 0]);
    expect([...encodeRequest('ab')]).toEqual([0, 0, 0, 0, 4, 0x0a, 2, 0x61, 0x62]);
    const long = encodeRequest('x'.repeat(300));
    expect([...long.subarray(0, 8)]).toEqual([0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
    expect(long.length).toBe(308);
  });

  test.each([
    ['an empty message has the default', framed(), 0],
    ['a status', framed(8, 1), 1],
    ['the last one counts', framed(8, 2, 8, 1), 1],
    ['a status in more bytes than it needs', framed(8, 0x81, 0x80, 0), 1],
    [
      'unknown fields of every kind',
      framed(16, 5, 17, ...Array<number>(8).fill(9), 26, 2, 8, 8, 37, 1, 2, 3, 4, 8, 1),
      1,
    ],
    ['a field with a large number', framed(0xf8, 0xff, 0xff, 0xff, 0x0f, 0, 8, 1), 1],
    ['a status of another kind is unknown', framed(10, 1, 1), 0],
    ['a negative status', framed(8, ...Array<number>(9).fill(0xff), 1), 2 ** 64],
  ])('%s', (_, frame, status) => {
    expect(decodeResponse(frame)).toBe(status);
  });

  test.each([
    ['a tag alone', framed(8)],
    ['a varint without end', framed(8, ...Array<number>(11).fill(0x80))],
    ['a varint that is cut off', framed(8, 0x80)],
    ['a string that is cut off', framed(26, 5, 1)],
    ['a string of any length', framed(26, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)],
    ['fixed bytes that are cut off', framed(17, 1, 2)],
    ['the field 0', framed(0, 1)],
    ['a group', framed(11, 12)],
    ['a kind that does not exist', framed(14, 0)],
  ])('%s is none', (_, frame) => {
    expect(decodeResponse(frame)).toBeUndefined();
  });
});
