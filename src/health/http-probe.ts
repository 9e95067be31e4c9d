import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { HttpCheck } from '../domain/instances/check.ts';
import { badStatus, judgeStatus, pathOf, question } from './http-status.ts';
import { authority, pinned, tlsOptions, type Aim, type Attempt } from './probe-attempt.ts';
import { critical, inWords } from './probe-finding.ts';

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 4 * 1024;
const MAX_INTERIM = 8;
/** Enough for the 100 characters that a reason quotes, whatever they are. */
const QUOTED_BYTES = 400;
/** How long a bad status waits for the beginning of a body that says more. */
const QUOTE_MS = 100;
/** Longer than most intervals between two checks. */
const IDLE_MS = 30_000;

/** These belong to the connection, which is not the check's to command. */
const NOT_FORWARDED = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export type KeepingAgent = HttpAgent | HttpsAgent;

/** Keeps one idle connection for the next check. For one target: connections of others must not be closed with it. */
export function createAgent(tls: boolean): KeepingAgent {
  const options = { keepAlive: true, maxFreeSockets: 1, timeout: IDLE_MS };
  // A TLS session that is resumed is not verified again, though its certificate may have expired.
  const agent = tls ? new HttpsAgent({ ...options, maxCachedSessions: 0 }) : new HttpAgent(options);
  agent.on('free', (socket: Socket) => socket.on('data', hangUp));
  return agent;
}

/** A target that talks without being asked would never be idle, and would be listened to for ever. */
function hangUp(this: Socket): void {
  this.destroy();
}

export function closeIdle(agent: KeepingAgent): void {
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}

/** Asks once and judges the status. Redirects are not followed. */
export function probeHttp(aim: Aim<HttpCheck>, agent: KeepingAgent, attempt: Attempt): void {
  const options = requestOptions(aim, agent);
  const fail = (why: string): void => attempt.end(critical(`${question(aim)}: ${why}`));

  const send = (again: boolean): void => {
    const request = aim.check.tls ? httpsRequest(options) : httpRequest(options);
    attempt.releaseWith(() => request.destroy());
    request.on('socket', (socket) => socket.off('data', hangUp));
    limitInterim(request, () => fail('only interim answers'));
    request.on('upgrade', () => fail('answered 101, an upgrade that was not asked for'));
    let answered = false;
    request.on('response', (response) => {
      answered = true;
      judge(aim, response, attempt);
    });
    request.on('error', (error) => {
      if (answered || attempt.ended) return;
      // The other side may close a connection that was idle just when it is used again: only a new one tells whether it is well.
      if (again || !request.reusedSocket) {
        attempt.because(error);
        return fail(inWords(error));
      }
      closeIdle(agent);
      send(true);
    });
    request.end();
  };
  send(false);
}

function requestOptions(aim: Aim<HttpCheck>, agent: KeepingAgent): RequestOptions {
  const { target, check, port } = aim;
  const own = Object.entries(check.headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !NOT_FORWARDED.has(name));
  return {
    ...pinned(aim),
    ...(check.tls ? tlsOptions({ ...aim, check }) : {}),
    agent,
    method: check.method,
    path: pathOf(target.service, check),
    headers: {
      host: authority(target.address, port),
      'user-agent': 'signalbox-check',
      accept: '*/*',
      ...Object.fromEntries(own),
    },
    maxHeaderSize: MAX_HEADER_BYTES,
  };
}

function limitInterim(request: ClientRequest, onTooMany: () => void): void {
  let interim = 0;
  request.on('information', () => {
    interim += 1;
    if (interim > MAX_INTERIM) onTooMany();
  });
}

/** The status decides; the body is read only as far as it takes to use the connection again. */
function judge(aim: Aim<HttpCheck>, response: IncomingMessage, attempt: Attempt): void {
  const status = response.statusCode ?? 0;
  const judged = judgeStatus(status, aim.check);
  const start: Buffer[] = [];
  let bytes = 0;
  const found = () => judged ?? badStatus(aim, status, response.headers.location, Buffer.concat(start).toString());
  const settle = (): void => attempt.settle(found());

  attempt.whenLate(found);
  if (judged !== undefined) settle();
  const patience = judged === undefined ? setTimeout(settle, QUOTE_MS) : undefined;
  response.on('data', (chunk: Buffer) => {
    if (bytes < QUOTED_BYTES) start.push(chunk.subarray(0, QUOTED_BYTES));
    bytes += chunk.length;
    if (bytes >= QUOTED_BYTES) settle();
    if (bytes > MAX_BODY_BYTES) attempt.end(found());
  });
  response.on('error', () => undefined);
  response.on('end', () => attempt.complete(found()));
  response.on('close', () => {
    clearTimeout(patience);
    attempt.end(found());
  });
}
