import { PGlite } from '@electric-sql/pglite';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDataDirectory } from '../../src/store/embedded/data-directory.ts';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { storeContract } from './contract.ts';

storeContract('embedded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'signalbox-store-'));
  return {
    open: () => openEmbedded({ dir }),
    exclusive: true,
    run: async (sql) => {
      const db = await PGlite.create(await ensureDataDirectory(realpathSync(dir)));
      await db.exec(sql);
      await db.close();
    },
    dispose: async () => rmSync(dir, { recursive: true, force: true }),
  };
});
