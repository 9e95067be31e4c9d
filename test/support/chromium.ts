import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** A real browser without a window. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: findChromium(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });

const MISSING = `Chromium is needed for these tests, and was not found on the PATH.
Install it (Debian, Ubuntu: apt-get install chromium; Fedora: dnf install chromium), or set TEST_CHROMIUM to its program.`;

/** Found, or on Debian as root installed first. */
function findChromium(): string {
  const found = search();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const failure = installOnDebian();
    const installed = search();
    if (installed !== undefined) return installed;
    throw new Error(`${MISSING}\nInstalling it with apt-get did not work:\n${failure}`);
  }
  throw new Error(MISSING);
}

function search(): string | undefined {
  const named = process.env['TEST_CHROMIUM'];
  if (named) return named;
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return path.flatMap((dir) => names.map((name) => join(dir, name))).find((file) => existsSync(file));
}

/** Answers what went wrong. */
function installOnDebian(): string {
  console.log('Chromium was not found: installing it with apt-get ...');
  try {
    // Waiting for dpkg's lock: another process may be installing the same thing.
    const wait = ['-o', 'DPkg::Lock::Timeout=300'];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const options: ExecFileSyncOptions = { env, stdio: ['ignore', 'pipe', 'pipe'] };
    execFileSync('apt-get', ['update', '-q', ...wait], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wait, 'chromium'], options);
    return 'apt-get reported success, yet there is no chromium';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
