/** A real browser for tests. Knows nothing of Jest. */
import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

export function openChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MISSING = `Chromium is needed for these tests, and none of ${NAMES.join(', ')} is on the PATH.
Install it (Debian: apt-get install chromium; Fedora: dnf install chromium), or name one in TEST_CHROMIUM.`;

/** Named, found, or on Debian as root installed first. */
function findChromium(): string {
  const found = process.env['TEST_CHROMIUM'] ?? search();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new Error(MISSING);
  console.log('Chromium was not found: installing it with apt-get ...');
  // Waiting for dpkg's lock: another process may be installing the same thing.
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  const options: ExecFileSyncOptions = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  };
  try {
    execFileSync('apt-get', ['update', '-q', ...wait], options);
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wait, 'chromium'], options);
  } catch (error) {
    throw new Error(`${MISSING}\nInstalling it with apt-get did not work.`, { cause: error });
  }
  const installed = search();
  if (installed === undefined) throw new Error(MISSING);
  return installed;
}

function search(): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return NAMES.flatMap((name) => path.map((dir) => join(dir, name))).find((file) => existsSync(file));
}
