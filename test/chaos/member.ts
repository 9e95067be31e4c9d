/** One process of the chaos run: a service that is called, and calls another one, through the built SDK as any user's would. */
import { subscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Sdk from '../../src/sdk/index.ts';
import type { RegisteredInstance } from '../../src/sdk/api.ts';
import type { Select } from '../../src/protocol/frames.ts';
import type { CacheFigures, Failure, MemberFigures, MemberSpec, Said } from './figures.ts';

const sdk = pathToFileURL(resolve('dist/sdk/index.js')).href;
const { connect, portOf, SignalboxError } = (await import(sdk)) as typeof Sdk;

/** Long enough that a process that is killed has calls under way. */
const ANSWER_MS = 5;
/** Every so many calls one is a POST, which is not done twice. */
const POST_EVERY = 5;

const spec = JSON.parse(process.argv[2] ?? '') as MemberSpec;
const say = (said: Said): void => void process.send?.(said);
process.on('disconnect', () => process.exit());

const server = createServer((request, response) => {
  request.resume();
  setTimeout(() => response.end(String(portOf(server))), ANSWER_MS);
});
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));

const ejected: number[] = [];
const events = { mismatches: 0, resets: 0 };
const note = (about: object, message: string): void => {
  const { url } = about as { readonly url?: string };
  if (message.includes('left out') && url !== undefined) ejected.push(Number(new URL(url).port));
};
const client = connect({
  url: spec.url,
  directory: spec.directory,
  ...(spec.maxAge !== undefined && { maxAge: spec.maxAge }),
  log: { debug() {}, info: note, warn() {}, error() {} },
});
const unreachable: Record<string, number> = {};
subscribe('undici:client:connectError', (message) => {
  const { port } = (message as { readonly connectParams: { readonly port: string } }).connectParams;
  unreachable[port] = (unreachable[port] ?? 0) + 1;
});
client.on('mismatch', () => (events.mismatches += 1));
client.on('reset', () => (events.resets += 1));

const service = client.service(spec.calls, spec.balance === undefined ? {} : { balance: spec.balance });
/** The first one is what `service` itself watches: they share a subscription. */
const selects: readonly Select[] = [
  { kind: 'instance', services: [spec.calls], passing: true, protocols: ['http', 'https'] },
  { kind: 'instance' },
  { kind: '*' },
];
const watches = selects.map((select) => ({ select, watch: client.watch(select) }));

let instance: RegisteredInstance | undefined;
if (spec.service !== undefined) {
  instance = await client.register(
    { service: spec.service, port: portOf(server), check: { type: 'ttl', ttl: spec.ttl } },
    { startOnRegistryFailure: spec.startsAlone ?? false },
  );
}

const failures: Failure[] = [];
let answered = 0;
let slowestMs = 0;
let firstAnswerAt: number | undefined;
let by: Record<string, number> = {};
let turn = 0;

async function call(): Promise<void> {
  const method = turn++ % POST_EVERY === 0 ? 'POST' : 'GET';
  const began = performance.now();
  try {
    const response = await service.fetch('/', { method, ...(method === 'POST' && { body: 'order' }) });
    const port = await response.text();
    answered += 1;
    firstAnswerAt ??= Date.now();
    by[port] = (by[port] ?? 0) + 1;
  } catch (error) {
    const code = error instanceof SignalboxError ? error.code : 'other';
    failures.push({ at: Date.now(), method, code, message: String(error) });
  }
  slowestMs = Math.max(slowestMs, performance.now() - began);
}

const cacheOf = ({ select, watch }: (typeof watches)[number]): CacheFigures => ({
  select,
  state: watch.state,
  epoch: watch.snapshot?.position.epoch ?? '',
  revision: watch.snapshot?.position.revision ?? -1,
  digest: watch.snapshot?.digest ?? '',
});

function portsOfCallee(): number[] {
  try {
    return service.instances().map(({ port }) => port);
  } catch {
    return [];
  }
}

function takeFigures(): MemberFigures {
  const figures: MemberFigures = {
    phase: client.phase,
    state: instance?.state ?? 'none',
    generation: instance?.generation,
    answered,
    failures,
    slowestMs,
    firstAnswerAt,
    by,
    ejected,
    unreachable,
    callee: { state: service.state, age: service.age, ports: portsOfCallee() },
    caches: watches.map(cacheOf),
    ...events,
  };
  answered = slowestMs = 0;
  by = {};
  return figures;
}

process.on('message', (told: 'go' | 'figures' | 'end') => {
  if (told === 'go') {
    void service.ready().then(() => setInterval(() => void call(), spec.everyMs));
  } else if (told === 'figures') say({ figures: takeFigures() });
  else void client.close().then(() => process.exit());
});
say({ up: portOf(server) });
