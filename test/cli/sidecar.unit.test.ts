import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { run } from '../../src/cli/program.ts';
import { nobody } from '../sidecar/egress-rig.ts';
import { terminal } from './terminal.ts';

async function checked(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const { io, ran } = terminal({ env });
  const code = await run(['sidecar', '--check', ...args], io);
  return { code, out: ran.out, err: ran.err };
}

const QUIET = {
  SIDECAR_METRICS_ENABLED: 'false',
  SIDECAR_SIGNALBOX_URLS: 'http://127.0.0.1:1',
  SIDECAR_EGRESS_PORT: '0',
};

test('--check of the example says what it would do', async () => {
  const away = await nobody();
  const env = { ...QUIET, SIDECAR_INGRESS_PORT: '0', SIDECAR_SIGNALBOX_URLS: away };
  const { code, out, err } = await checked(['--config', 'examples/sidecar/sidecar.yaml'], env);
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('/payments -> payments.example.com, environment demo, without the prefix');
  expect(out).toContain('registered as orders.example.com, demo');
  expect(out).toContain(`Signalbox does not answer at ${away} (ECONNREFUSED)`);
});

test('what is wrong is said, with exit code 1', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sidecar-'));
  const file = join(directory, 'sidecar.yaml');
  writeFileSync(file, 'egress: {prot: 1}\n');
  const bad = await checked(['--config', file], QUIET);
  expect([bad.code, bad.out]).toEqual([1, '']);
  expect(bad.err).toContain('egress.prot is not a setting: did you mean egress.port?');
  rmSync(directory, { recursive: true });
  const missing = await checked([], { ...QUIET, SIDECAR_CONFIG: file });
  expect(missing.code).toBe(1);
  expect(missing.err).toContain('cannot be read (ENOENT)');
  const unreadable = await checked([], { ...QUIET, SIDECAR_SIGNALBOX_TOKEN_FILE: file });
  expect(unreadable.code).toBe(1);
  expect(unreadable.err).toContain(`signalbox.tokenFile: ${file} cannot be read`);
});

test('a port that is taken is said in one sentence, and nothing goes on', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = String((taken.address() as AddressInfo).port);
  for (const where of ['egress', 'ingress', 'metrics']) {
    const { io, ran } = terminal({
      env: {
        SIDECAR_SIGNALBOX_URLS: 'http://127.0.0.1:1',
        SIDECAR_LOG_LEVEL: 'silent',
        SIDECAR_EGRESS_PORT: '0',
        SIDECAR_INGRESS_PORT: '0',
        SIDECAR_INGRESS_HOST: '127.0.0.1',
        SIDECAR_INGRESS_SERVICE: 'orders.example.com',
        SIDECAR_METRICS_PORT: '0',
        [`SIDECAR_${where.toUpperCase()}_PORT`]: port,
      },
    });
    expect(await run(['sidecar'], io)).toBe(1);
    expect(ran.err).toContain(`${where}.port: nobody can listen at 127.0.0.1:${port} (EADDRINUSE)`);
    expect(ran.err).not.toContain('mistake');
  }
  taken.close();
});
