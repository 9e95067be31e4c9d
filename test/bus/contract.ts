/** What every bus does, whatever carries it. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Announcement, Bus } from '../../src/bus/port.ts';
import { makeItem, type Change, type Entry } from '../../src/domain/item.ts';

/** Opens buses that are joined with each other and with no other test's. */
export type OpenBuses = (count: number) => Promise<Bus[]>;

export function busContract(name: string, openBuses: OpenBuses): void {
  describe(`bus: ${name}`, () => {
    let opened: Bus[] = [];

    async function open<const N extends number>(count: N): Promise<N extends 2 ? [Bus, Bus] : [Bus, Bus, Bus]> {
      opened = await openBuses(count);
      return opened as N extends 2 ? [Bus, Bus] : [Bus, Bus, Bus];
    }

    afterEach(async () => {
      await Promise.all(opened.map((bus) => bus.close()));
    });

    test('delivers to every other node and never to its own', async () => {
      const [a, b, c] = await open(3);
      const [atA, atB, atC] = [new Recorder(a), new Recorder(b), new Recorder(c)];
      a.publish(news(1));
      await until(() => atB.heard.length > 0 && atC.heard.length > 0);
      b.publish(news(2));
      await until(() => atA.heard.length > 0 && atC.heard.length > 1);
      expect(atA.heard).toEqual([news(2)]);
      expect(atB.heard).toEqual([news(1)]);
      expect(atC.heard).toEqual([news(1), news(2)]);
    });

    test('is here while the others hear of it', async () => {
      const buses = await open(2);
      await until(() => buses.every(({ state }) => state === 'here'));
    });

    test('keeps the order of each publisher', async () => {
      const [a, b, c] = await open(3);
      const atC = new Recorder(c);
      const count = 100;
      for (let i = 1; i <= count; i++) {
        a.publish({ ...news(i), epoch: 'a' });
        b.publish({ ...news(i), epoch: 'b' });
        if (i % 10 === 0) await sleep(1);
      }
      await until(() => atC.heard.length === 2 * count);
      for (const epoch of ['a', 'b']) {
        const order = atC.heard.filter((each) => each.epoch === epoch).map((each) => each.to);
        expect(order).toEqual(Array.from({ length: count }, (_, i) => i + 1));
      }
    });

    test('brings the entries as they were', async () => {
      const [a, b] = await open(2);
      const atB = new Recorder(b);
      const announcements: Announcement[] = [
        { epoch: 'e', from: 1, to: 2, entries: [entry(1), entry(2)] },
        { epoch: 'e', from: 3, to: 900 },
        { epoch: 'e', from: 901, to: 901, entries: [] },
        { epoch: 'an "epoch" with \\ and\nmore', from: 0, to: Number.MAX_SAFE_INTEGER },
      ];
      for (const announcement of announcements) a.publish(announcement);
      await until(() => atB.heard.length === announcements.length);
      expect(atB.heard).toEqual(announcements);
      expect(atB.heard.map((each) => 'entries' in each)).toEqual([true, false, true, false]);
    });

    test('serves several listeners, each in order', async () => {
      const [a, b] = await open(2);
      const recorders = [new Recorder(b), new Recorder(b), new Recorder(b)];
      a.publish(news(1));
      a.publish(news(2));
      await until(() => recorders.every(({ heard }) => heard.length === 2));
      for (const { heard } of recorders) expect(heard).toEqual([news(1), news(2)]);
    });

    test('delivers nothing after it is closed, which may happen twice', async () => {
      const [a, b, c] = await open(3);
      const [atA, atB, atC] = [new Recorder(a), new Recorder(b), new Recorder(c)];
      await b.close();
      await b.close();
      a.publish(news(1));
      await until(() => atC.heard.length === 1);
      c.publish(news(2));
      await until(() => atA.heard.length === 1);
      expect(atB.heard).toEqual([]);
      expect(() => b.publish(news(3))).not.toThrow();
    });
  });
}

/** Announcements of this epoch are for `untilJoined` alone. */
const PROBE = 'probe';

export class Recorder {
  readonly heard: Announcement[] = [];
  gaps = 0;

  constructor(bus: Bus) {
    bus.subscribe({
      onAnnouncement: (announcement) => {
        if (announcement.epoch !== PROBE) this.heard.push(announcement);
      },
      onGap: () => this.gaps++,
    });
  }
}

/** A bus may lose what is published before it is connected. Resolves once each of these has heard from every other. */
export async function untilJoined(buses: readonly Bus[]): Promise<void> {
  const first = ++probes;
  probes += buses.length;
  const missing = new Set<string>();
  buses.forEach((bus, to) => {
    buses.forEach((_, from) => {
      if (from !== to) missing.add(`${first + from} to ${to}`);
    });
    bus.subscribe({
      onAnnouncement: ({ epoch, from }) => {
        if (epoch === PROBE) missing.delete(`${from} to ${to}`);
      },
      onGap: () => undefined,
    });
  });
  await until(() => {
    buses.forEach((bus, index) => bus.publish({ epoch: PROBE, from: first + index, to: first + index }));
    return missing.size === 0;
  });
}

let probes = 0;

export async function until(condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not so within ${timeoutMs} ms: ${condition.toString()}`);
    await sleep(10);
  }
}

export const news = (revision: number): Announcement => ({ epoch: 'e', from: revision, to: revision });

export function entry(revision: number, title = 'US "East" \\ 東 \u2028 \u{1F682}'): Entry {
  const region = { name: 'regions/us-east', title, labels: { tier: 'gold', 2: 'b', a: '' }, ...assigned(revision) };
  const account = { name: 'projects/core/service-accounts/deployer', labels: {}, ...assigned(revision) };
  const changes: Change[] = [
    { op: 'put', item: makeItem(region) },
    { op: 'put', item: makeItem(account), was: { team: 'x' } },
    { op: 'delete', kind: 'deployment', name: 'services/iam.example/deployments/us-east', was: {} },
    { op: 'delete', kind: 'service', name: 'services/iam.example', was: { tier: 'silver' } },
  ];
  return { revision, at: Date.UTC(2026, 0, 15) + revision, author: 'projects/core "x"', changes };
}

const assigned = (revision: number) => ({
  revision,
  createTime: '2026-01-15T00:00:00Z',
  updateTime: '2026-01-15T00:00:00Z',
});
