import type { Instance } from '../../src/domain/instances/instance.ts';

/** Instances of one service, as its callers are told of them. */
export function instanceList(count: number): Instance[] {
  return Array.from({ length: count }, (_, n) => ({
    name: `instances/${String(n).padStart(24, '0')}`,
    revision: 1,
    createTime: '2026-01-01T00:00:00Z',
    updateTime: '2026-01-01T00:00:00Z',
    service: 'orders.example.com',
    protocol: 'http',
    address: `10.0.${n >> 8}.${n & 255}`,
    port: 8080,
    region: 'eu',
    weight: 1 + (n % 5),
    registeredWeight: 1,
    tags: { zone: 'a' },
    metadata: {},
    check: { type: 'ttl', ttl: '15s', initialStatus: 'passing', deregisterAfter: '1m' },
    detectionBound: '20s',
    generation: 1,
    passing: true,
    status: 'passing',
    statusSince: '2026-01-01T00:00:00Z',
    statusReason: 'It was heard of.',
    mode: 'serving',
  }));
}
