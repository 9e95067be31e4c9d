import { openEmbedded } from './embedded/embedded.ts';
import { makeItem } from '../domain/item.ts';
const s = await openEmbedded({ dir: '/tmp/storebench/datam' });
const { epoch } = await s.head(); let base = 0;
const ms: number[] = [];
for (let b = 0; b < 20; b++) { const revision = base + 1; const changes = Array.from({ length: 5000 }, (_, i) => ({ op: 'put' as const, item: makeItem({ name: `regions/r${b * 5000 + i}-x`, revision, createTime: '2026-11-21T00:00:00.000Z', updateTime: '2026-11-21T00:00:00.000Z', title: 'x'.repeat(430), labels: {} } as any) })); const t = performance.now(); await s.commit({ epoch, base, entries: [{ revision, at: Date.now(), author: 'x', changes }] }); ms.push(performance.now() - t); base++; }
console.log('5000 changes ms', ms.map((x) => x.toFixed(0)).join(' '));
for (let i = 0; i < 3; i++) { const t = performance.now(); const l = await s.load(); console.log('load', l.items.length, (performance.now() - t).toFixed(0)); }
await s.close();
