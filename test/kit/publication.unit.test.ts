import { afterEach, expect, test } from '@jest/globals';
import { Publication } from '../../src/kit/index.ts';
import type { PublishedDocument, PublishOptions } from '../../src/sdk/catalog/published-document.ts';
import { SignalboxError } from '../../src/sdk/errors.ts';
import { memoryLog, SERVICE, startFastify, type FastifyRunning } from './apps.ts';
import { FakeTimers } from './fake-timers.ts';
import { MemoryRegistrar } from './registrar.ts';
import { until } from './until.ts';

const DOCUMENT = { openapi: '3.1.0', info: { title: 'Orders', version: '1' } };

/** Publishes in memory, as `Client.publishDocument` promises to. */
class MemoryPublisher extends MemoryRegistrar {
  readonly calls: (readonly [service: string, version: string, document: object | string])[] = [];
  /** What the next calls are answered with. */
  failures: Error[] = [];
  published: object | string | undefined;
  hangs = false;

  async publishDocument(
    service: string,
    version: string,
    document: object | string,
    { signal }: PublishOptions = {},
  ): Promise<PublishedDocument> {
    this.calls.push([service, version, document]);
    this.happened.push('publish');
    if (this.hangs)
      await new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new SignalboxError('stopped', 'given up'))),
      );
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const changed = this.published !== document;
    this.published = document;
    return { sha256: 'a'.repeat(64), changed };
  }
}

const away = (more: object = {}): SignalboxError => new SignalboxError('unreachable', 'nobody is there', more);
const refused = (status: number): SignalboxError =>
  new SignalboxError('refused', `no: ${status}`, { problem: { status } });

function open(document: () => object | Promise<object>, publisher = new MemoryPublisher(), random = 1) {
  const { lines, log } = memoryLog();
  const timers = new FakeTimers();
  const api = { version: 'v1', document };
  const publication = new Publication({ serviceId: SERVICE, publisher, api, log, timers, random: () => random });
  return { publication, publisher, lines, timers, said: () => lines.map(({ level, msg }) => [level, msg]) };
}

test('a document is published once', async () => {
  const { publication, publisher, said } = open(async () => DOCUMENT);
  publication.start();
  publication.start();
  await until(() => said().length === 1);
  expect(publisher.calls).toEqual([[SERVICE, 'v1', DOCUMENT]]);
  expect(said()).toEqual([[30, `the API document of ${SERVICE} v1 is published`]]);
  await publication.stop();
});

test('it is tried again with longer and longer pauses, and what is wrong is said once', async () => {
  const publisher = new MemoryPublisher();
  publisher.failures = [away(), away(), refused(404), refused(404), away({ retryAfterMs: 90_000 })];
  const { publication, timers, said } = open(() => DOCUMENT, publisher);
  publication.start();
  for (const [i, ms] of [1000, 2000, 4000, 8000, 90_000].entries()) {
    await until(() => publisher.calls.length === i + 1 && timers.pending > 0);
    timers.go(ms - 1);
    await new Promise(setImmediate);
    expect(publisher.calls).toHaveLength(i + 1);
    timers.go(1);
  }
  await until(() => publisher.published !== undefined);
  await publication.stop();
  expect(said().map(([level]) => level)).toEqual([40, 40, 40, 30]);
  expect(said()[1]?.[1]).toContain('no: 404');
});

test.each<[what: string, failure: Error]>([
  ['a document that is none', refused(400)],
  ['a document that is too large', refused(413)],
  ['a mistake', new TypeError('cyclic')],
])('%s is not tried again, and said', async (_what, failure) => {
  const publisher = new MemoryPublisher();
  publisher.failures = [failure];
  const { publication, timers, said } = open(() => DOCUMENT, publisher);
  publication.start();
  await until(() => said().length === 1);
  expect([timers.pending, publisher.calls.length]).toEqual([0, 1]);
  expect(said()[0]).toEqual([40, expect.stringContaining(failure.message)]);
  await publication.stop();
});

test('a document that cannot be made is said', async () => {
  const { publication, publisher, said } = open(() => {
    throw new Error('no swagger here');
  });
  publication.start();
  await until(() => said().length === 1);
  expect(said()[0]?.[1]).toContain('no swagger here');
  expect(publisher.calls).toEqual([]);
});

test('stop ends it, whether it waits or is under way, and nothing is said then', async () => {
  const waiting = open(() => DOCUMENT);
  waiting.publisher.failures = [away()];
  waiting.publication.start();
  await until(() => waiting.timers.pending > 0);
  await waiting.publication.stop();
  expect(waiting.timers.pending).toBe(0);
  const hanging = open(() => DOCUMENT);
  hanging.publisher.hangs = true;
  hanging.publication.start();
  await until(() => hanging.publisher.calls.length === 1);
  await hanging.publication.stop();
  expect(hanging.said()).toEqual([]);
});

let running: FastifyRunning | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

test('the plugin publishes once it is registered, and does not wait for it', async () => {
  const client = new MemoryPublisher();
  client.hangs = true;
  running = await startFastify({ client, publish: { version: 'v1', document: () => DOCUMENT } });
  await running.app.signalbox.joined();
  await until(() => client.calls.length === 1);
  expect(client.happened).toEqual(['register', 'registered', 'publish']);
  const began = performance.now();
  await running.close();
  expect(performance.now() - began).toBeLessThan(2000);
  expect(running.log.filter(({ level }) => level >= 40)).toEqual([]);
});

test('to publish without a client is a mistake that is told', async () => {
  await expect(startFastify({ publish: { version: 'v1', document: () => DOCUMENT } })).rejects.toThrow(
    'publish needs a client',
  );
});
