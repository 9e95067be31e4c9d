import { availableParallelism, arch, freemem, hostname, networkInterfaces, release, totalmem, type } from 'node:os';
import { getHeapStatistics } from 'node:v8';

/** Where the program runs. Sizes in bytes. */
export function machine(): object {
  return {
    host: { hostname: hostname(), ip: ownIp() },
    runtime: {
      availableProcessors: availableParallelism(),
      freeMemory: freemem(),
      // What the heap may grow to, as the JVM's maxMemory.
      maxMemory: getHeapStatistics().heap_size_limit,
      nodeVersion: process.versions.node,
      opensslVersion: process.versions.openssl,
      pid: process.pid,
      residentMemory: process.memoryUsage.rss(),
      totalMemory: totalmem(),
      uptimeSeconds: Math.round(process.uptime()),
      v8Version: process.versions.v8,
    },
    system: {
      osArchitecture: arch(),
      osName: type(),
      osVersion: release(),
      userTimezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    },
  };
}

/** Of several the first, as the system lists them; loopback where there is no other. */
function ownIp(): string {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outward = all.filter(({ internal, address }) => !internal && !/^fe80:/i.test(address));
  return (outward.find(({ family }) => family === 'IPv4') ?? outward[0])?.address ?? '127.0.0.1';
}
