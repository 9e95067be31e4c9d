import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { runEmbedded } from '../support/embedded.ts';
import { storeContract } from './contract.ts';

storeContract('embedded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'signalbox-store-'));
  return {
    open: () => openEmbedded({ dir }),
    exclusive: true,
    run: (sql) => runEmbedded(dir, sql),
    dispose: async () => rmSync(dir, { recursive: true, force: true }),
  };
});
