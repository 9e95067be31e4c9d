import type { Instance } from '../../domain/instances/instance.ts';
import type { InstanceSource } from './endpoint.ts';
import { portOf, type Override } from './overrides.ts';

/** A source for addresses that are written down: complete and current at once, and for good. Nobody checks that anyone is there. */
export function overrideSource(service: string, { urls }: Override): InstanceSource {
  let isClosed = false;
  const instances = [...new Set(urls.map(({ origin, href }) => (origin === 'null' ? href : origin)))].map((url) =>
    instanceAt(service, new URL(url)),
  );
  return {
    instances,
    get state() {
      return isClosed ? 'closed' : 'live';
    },
    age: 0,
    onChange: () => () => {},
    ready: () => Promise.resolve(),
    close: () => {
      isClosed = true;
    },
  };
}

const LONG_AGO = '1970-01-01T00:00:00Z';

function instanceAt(service: string, url: URL): Instance {
  const protocol = url.protocol.slice(0, -1);
  const address = url.hostname.replace(/^\[|\]$/g, '');
  const port = portOf(url);
  return {
    name: `overrides/${protocol}/${address}/${port}`,
    revision: 0,
    createTime: LONG_AGO,
    updateTime: LONG_AGO,
    service,
    protocol,
    address,
    port,
    weight: 1,
    registeredWeight: 1,
    tags: {},
    metadata: {},
    check: { type: 'ttl', ttl: '15s', initialStatus: 'passing', deregisterAfter: '1m' },
    detectionBound: '0ms',
    generation: 0,
    passing: true,
    status: 'passing',
    statusSince: LONG_AGO,
    statusReason: 'It was written down by hand.',
    mode: 'serving',
  };
}
