import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { storeContract } from './contract.ts';

storeContract('embedded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'signalbox-store-'));
  return {
    open: () => openEmbedded({ dir }),
    exclusive: true,
    dispose: async () => rmSync(dir, { recursive: true, force: true }),
  };
});
