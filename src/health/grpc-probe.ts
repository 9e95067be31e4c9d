import { connect as connectHttp2, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SERVICE_ID, type GrpcCheck } from '../domain/instances/check.ts';
import { decodeResponse, encodeRequest, SERVING_STATUS } from './grpc-message.ts';
import { authority, pinned, tlsOptions, type Aim, type Attempt } from './probe-attempt.ts';
import { critical, inWords, NO_ANSWER, NO_HTTP2, passing, plain } from './probe-finding.ts';
import type { Finding } from './probe.ts';

const MAX_MESSAGE_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
/** Everything on the connection, whatever frames it is in. */
const MAX_BYTES = 256 * 1024;
const LOOK_AT_BYTES_MS = 50;

const OK = 0;
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

/** Asks grpc.health.v1.Health/Check once, on a connection of its own. */
export function probeGrpc(aim: Aim<GrpcCheck>, attempt: Attempt): void {
  const socket = open(aim);
  attempt.releaseWith(() => socket.destroy());
  const fail = (error: unknown): void => {
    attempt.because(error);
    attempt.end(critical(inWords(error)));
  };
  // Before the session listens, so that nothing is sent to a server that did not choose HTTP/2.
  socket.on('secureConnect', () => {
    if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') attempt.end(critical(NO_HTTP2));
  });
  socket.on('error', fail);

  const session = connectHttp2(`${aim.check.tls ? 'https' : 'http'}://${authority(aim.ip, aim.port)}`, {
    createConnection: () => socket,
    maxSessionMemory: 1,
    settings: { enablePush: false, maxHeaderListSize: MAX_HEADER_BYTES },
  });
  // The session reads natively: what it makes of the bytes is told to nobody, but their number is.
  const watch = setInterval(() => {
    if (socket.bytesRead > MAX_BYTES) attempt.end(critical('the answer is too large'));
  }, LOOK_AT_BYTES_MS);
  attempt.releaseWith(() => {
    clearInterval(watch);
    session.destroy();
    socket.destroy();
  });
  session.on('error', fail);
  session.on('close', () => attempt.end(critical(NO_ANSWER)));

  const service = aim.check.service.replaceAll(SERVICE_ID, () => aim.target.service);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    ':authority': authority(aim.target.address, aim.port),
    'content-type': 'application/grpc',
    'user-agent': 'signalbox-check',
    te: 'trailers',
  });
  stream.on('error', fail);
  readAnswer(stream, service, attempt);
  stream.end(encodeRequest(service));
}

function open(aim: Aim<GrpcCheck>): Socket {
  if (!aim.check.tls) return connectTcp(pinned(aim));
  return connectTls({ ...pinned(aim), ...tlsOptions(aim), ALPNProtocols: ['h2'] });
}

function readAnswer(stream: ClientHttp2Stream, service: string, attempt: Attempt): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let trailers: IncomingHttpHeaders | undefined;
  stream.on('response', (headers) => {
    const status = headers[':status'];
    const type = headers['content-type'] ?? '';
    if (status !== 200) attempt.end(critical(`answered the HTTP status ${status}`));
    else if (!type.startsWith('application/grpc')) attempt.end(critical('the answer is not gRPC'));
    // An answer without a message has its trailers here.
    trailers = headers;
  });
  stream.on('trailers', (headers) => {
    trailers = headers;
  });
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > MAX_MESSAGE_BYTES) attempt.end(critical('the answer is too large'));
  });
  // Not at its end, which does not wait for the trailers.
  stream.on('close', () => {
    attempt.end(trailers === undefined ? critical(NO_ANSWER) : judge(service, trailers, Buffer.concat(chunks)));
  });
}

function judge(service: string, trailers: IncomingHttpHeaders, frame: Buffer): Finding {
  const about = service === '' ? 'the server' : `the service ${service}`;
  const code = /^[0-9]{1,3}$/.test(String(trailers['grpc-status'])) ? Number(trailers['grpc-status']) : undefined;
  if (code === undefined) return critical('the answer is not gRPC');
  if (code === UNIMPLEMENTED) return critical('the server has no health service (grpc.health.v1)');
  if (code === NOT_FOUND) return critical(`${about} is not known to the health service there`);
  if (code !== OK) {
    const message = plain(percentDecoded(String(trailers['grpc-message'] ?? '')), 100);
    return critical(`answered the gRPC status ${code}${message === '' ? '' : `: ${message}`}`);
  }
  const status = decodeResponse(frame);
  if (status === undefined) return critical('the answer is no health check response');
  const word = SERVING_STATUS[status] ?? 'unknown';
  return word === 'serving' ? passing('answered serving') : critical(`answered that ${about} is ${word}`);
}

/** What is no percent-encoded UTF-8 stays as it is. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
