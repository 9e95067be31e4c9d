/**
 * Who can be called now, kept current by the push feed over server-sent events. Plain Node; any language with an HTTP
 * client can do the same.
 */
export const SIGNALBOX = (process.env.SIGNALBOX_URL ?? 'http://127.0.0.1:4400').replace(/\/+$/, '');

const RETRY_MS = 1000;

export class Discovery {
  /** Service ids to be called. */
  #services;
  #onChange;
  /** Instances by name; undefined until the first snapshot is whole. */
  #known;
  /** The snapshot that is arriving. */
  #arriving;
  /** Where to go on after a broken connection. */
  #lastEventId;
  #abort = new AbortController();

  constructor(services, onChange = () => {}) {
    this.#services = services;
    this.#onChange = onChange;
  }

  /** Follows the feed until `stop`. */
  async start() {
    while (!this.#abort.signal.aborted) {
      try {
        await this.#follow();
      } catch {
        // Signalbox is away: what was known last still serves, and what was missed comes once it is back.
      }
      await this.#pause();
    }
  }

  stop() {
    this.#abort.abort();
  }

  /** An instance of the service that can be called, other than those that have just failed. */
  async pick(service, failed = new Set()) {
    const all = this.#known ? [...this.#known.values()] : await ask(service);
    const callable = all.filter((instance) => instance.service === service && !failed.has(instance.name));
    return callable[Math.floor(Math.random() * callable.length)];
  }

  async #follow() {
    const query = new URLSearchParams({ kind: 'instance', services: this.#services.join(','), passing: 'true' });
    const headers = { accept: 'text/event-stream' };
    if (this.#lastEventId !== undefined) headers['last-event-id'] = this.#lastEventId;
    // A connection that has gone silent is dead: the server says something every heartbeat.
    const silence = new AbortController();
    let timer;
    const heard = (ms) => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), ms);
    };
    let patience = 30_000;
    heard(patience);
    try {
      const signal = AbortSignal.any([this.#abort.signal, silence.signal]);
      const response = await fetch(`${SIGNALBOX}/v1/watch?${query}`, { headers, signal });
      if (!response.ok) throw new Error(`the feed was answered with ${response.status}`);
      for await (const { event, id, data } of events(response.body, () => heard(patience))) {
        const frame = JSON.parse(data);
        if (event === 'welcome') patience = frame.heartbeat * 3;
        this.#take(event, frame);
        if (id !== undefined) this.#lastEventId = id;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take(event, frame) {
    switch (event) {
      // "Forget what you hold": a new snapshot follows, and until it is whole the old one serves.
      case 'reset':
        this.#arriving = undefined;
        return;
      case 'snapshot':
        this.#arriving ??= new Map();
        for (const item of frame.items) this.#arriving.set(item.name, item);
        return;
      case 'synced':
        if (this.#arriving === undefined) return;
        this.#replace(this.#arriving);
        this.#arriving = undefined;
        return;
      case 'change':
        for (const { op, key, value } of frame.changes) this.#apply(op, key, value);
        return;
      // Others say where the feed is; they change nothing.
      default:
    }
  }

  #replace(arrived) {
    const before = this.#known ?? new Map();
    this.#known = arrived;
    for (const [name, instance] of arrived) if (!before.has(name)) this.#onChange('put', instance);
    for (const [name, instance] of before) if (!arrived.has(name)) this.#onChange('delete', instance);
  }

  /** A put of what was there already is a change of it; a delete means gone, or no longer to be called. */
  #apply(op, name, value) {
    this.#known ??= new Map();
    const before = this.#known.get(name);
    if (op === 'put') this.#known.set(name, value);
    else this.#known.delete(name);
    const changed = (op === 'put') !== (before !== undefined);
    if (changed) this.#onChange(op, value ?? before);
  }

  #pause() {
    if (this.#abort.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#abort.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, RETRY_MS * (0.5 + Math.random()));
      this.#abort.signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** The same question as a request, for who has no feed (yet). */
async function ask(service) {
  const response = await fetch(`${SIGNALBOX}/v1/services/${service}/instances?passing=true`);
  if (!response.ok) throw new Error(`${service} cannot be looked up: ${response.status}`);
  return (await response.json()).items;
}

/** Server-sent events out of bytes: `event`, `id` and `data` lines, and an empty line after each event. */
async function* events(body, onBytes) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    onBytes();
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = {};
      for (const line of block.split('\n')) {
        const [, field, value] = /^(event|id|data): ?(.*)$/.exec(line) ?? [];
        if (field !== undefined) event[field] = value;
      }
      if (event.data !== undefined) yield event;
    }
  }
}
