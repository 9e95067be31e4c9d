import { rmSync } from 'node:fs';

export default async function teardown(): Promise<void> {
  await globalThis.testPostgres?.destroy();
  if (globalThis.testShared !== undefined) rmSync(globalThis.testShared, { recursive: true, force: true });
}
