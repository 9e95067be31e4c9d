/** A process that commits to an embedded store as fast as it can, and tells what was acknowledged. */
import { writeSync } from 'node:fs';
import { openEmbedded } from '../../src/store/embedded/embedded.ts';
import { entry, put } from './fixtures.ts';

const [dir = '', round = ''] = process.argv.slice(2);
const store = await openEmbedded({ dir });
let { epoch, revision: base } = await store.head();
writeSync(1, 'open\n');
for (let n = 0; ; n++) {
  const authors = Array.from({ length: 1 + (n % 5) }, (_, i) => `${round}-${n}-${i}`);
  const entries = authors.map((author, i) => {
    return entry(base + 1 + i, [put('thing', base + 1 + i), put(`thing-${n % 50}`, base + 1 + i)], { author });
  });
  if (!(await store.commit({ epoch, base, entries }))) throw new Error('refused');
  writeSync(1, authors.map((author, i) => `${base + 1 + i} ${author}\n`).join(''));
  base += entries.length;
}
