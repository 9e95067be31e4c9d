/**
 * Ends what the demo has started, should the demo itself be killed: it says over this process's standard input what runs (`+PID`,
 * `-PID`) and where its data are (`dir PATH`); when that ends, so does everything that is left.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const running = new Set();
const directories = [];

// What ends the demo is not to end this one before it has done its work.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('+')) running.add(Number(line.slice(1)));
  else if (line.startsWith('-')) running.delete(Number(line.slice(1)));
  else if (line.startsWith('dir ')) directories.push(line.slice(4));
}
for (const pid of running) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
