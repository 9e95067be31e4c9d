import { afterAll } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { until } from './until.ts';

const CLI = resolve('dist/cli/main.js');
const running = new Set<ChildProcess>();
const servers = new Set<{ close(): void }>();

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  for (const server of servers) server.close();
});

/** `signalbox sidecar` in a process of its own, on free ports. */
export interface SidecarProcess {
  /** Undefined where it has none. */
  readonly egress: string;
  readonly ingress: string;
  readonly ingressPort: number;
  readonly output: () => string;
  /** The value of one series of `/metrics`. */
  metric(series: string): Promise<number | undefined>;
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
}

/** With these settings as variables; a test of the YAML file is elsewhere. */
export async function startSidecar(settings: Readonly<Record<string, string>>): Promise<SidecarProcess> {
  const env = {
    PATH: process.env['PATH'],
    SIDECAR_EGRESS_PORT: '0',
    SIDECAR_INGRESS_PORT: '0',
    SIDECAR_METRICS_PORT: '0',
    SIDECAR_INGRESS_REGISTERED_ADDRESS: '127.0.0.1',
    SIDECAR_INGRESS_HEALTH_INTERVAL: '50ms',
    SIDECAR_INGRESS_UNHEALTHY_AFTER: '2',
    SIDECAR_SHUTDOWN_SETTLE: '300ms',
    ...settings,
  };
  const child = spawn(process.execPath, [CLI, 'sidecar'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output += data.toString()));
  let ended = false;
  const exited = new Promise<number | null>((done) => {
    child.on('close', (code) => {
      running.delete(child);
      ended = true;
      done(code);
    });
  });
  const portOf = async (message: string): Promise<number> => {
    const line = new RegExp(`"port":(\\d+),"msg":"${message}"`);
    const [, port] = await until(message, () => {
      if (ended) throw new Error(`the sidecar has ended:\n${output}`);
      return line.exec(output) ?? undefined;
    });
    return Number(port);
  };
  const metrics = await portOf('metrics are served');
  const has = (name: string): boolean => (settings[name] ?? '') !== '';
  const egressPort = settings['SIDECAR_EGRESS_ENABLED'] === 'false' ? 0 : await portOf('egress listens');
  const ingressPort = has('SIDECAR_INGRESS_SERVICE') ? await portOf('ingress listens') : 0;
  return {
    egress: `http://127.0.0.1:${egressPort}`,
    ingress: `${has('SIDECAR_INGRESS_TLS_CERT') ? 'https' : 'http'}://127.0.0.1:${ingressPort}`,
    ingressPort,
    output: () => output,
    metric: async (series) => {
      const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length + 1));
    },
    signal: (name) => void child.kill(name),
    exited,
  };
}

/** A service in any language: it knows nothing of Signalbox. */
export async function backend(handle: RequestListener): Promise<{ readonly url: string; readonly port: number }> {
  const server = createServer(handle);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  servers.add({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port };
}
