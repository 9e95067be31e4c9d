import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { Signalbox } from '../support/signalbox.ts';

export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs the built `signalbox` command against a node. With `until` it is interrupted, as by Ctrl-C, once its output holds
 * that text.
 */
export function command(
  node: Pick<Signalbox, 'url'>,
  args: readonly string[],
  { until, input }: { readonly until?: string; readonly input?: string } = {},
): Promise<Result> {
  const child = spawn(process.execPath, [resolve('dist/cli/main.js'), ...args], {
    env: { ...process.env, SIGNALBOX_URL: node.url, NO_COLOR: '1', NODE_OPTIONS: '' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input ?? '');
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
    if (until !== undefined && out.includes(until)) child.kill('SIGINT');
  });
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString();
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  return new Promise<Result>((done) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      done({ code, out, err });
    });
  });
}
