/** Calls `orders` from outside, RATE times a second, whatever becomes of the calls before; one in four is a POST. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'signalbox/client';
import { metered } from './meter.mjs';

const RATE = Number(process.env.RATE ?? 50);
const ITEMS = ['tea', 'rice', 'salt', 'honey', 'cocoa'];

const client = connect();
const service = client.service('orders.demo.example', { timeoutMs: 5000 });
const orders = metered(service);
await service.ready();

const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());

const began = performance.now();
const underWay = new Set();
for (let sent = 0; !ending.signal.aborted; sent += 1) {
  await sleep(Math.max(0, began + (sent * 1000) / RATE - performance.now()));
  const method = sent % 4 === 3 ? 'POST' : 'GET';
  const call = orders(`/orders/${ITEMS[sent % ITEMS.length]}`, { method }).catch(() => {});
  underWay.add(call);
  void call.finally(() => underWay.delete(call));
}
await Promise.all(underWay);
await client.close();
