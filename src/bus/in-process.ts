import type { Announcement, Bus } from './port.ts';

type Listener = Parameters<Bus['subscribe']>[0];

/** Joins the buses made from it within one process. A node that is alone has one bus and nobody to tell. */
export class InProcessNetwork {
  readonly #buses = new Set<InProcessBus>();

  join(): Bus {
    const bus = new InProcessBus(this.#buses);
    this.#buses.add(bus);
    return bus;
  }
}

class InProcessBus implements Bus {
  readonly state = 'here';
  readonly #all: Set<InProcessBus>;
  readonly #listeners: Listener[] = [];

  constructor(all: Set<InProcessBus>) {
    this.#all = all;
  }

  publish(announcement: Announcement): void {
    if (!this.#all.has(this)) return;
    for (const other of this.#all) {
      if (other !== this) queueMicrotask(() => other.#deliver(announcement));
    }
  }

  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
  }

  #deliver(announcement: Announcement): void {
    for (const listener of this.#listeners) listener.onAnnouncement(announcement);
  }

  close(): Promise<void> {
    this.#all.delete(this);
    this.#listeners.length = 0;
    return Promise.resolve();
  }
}
