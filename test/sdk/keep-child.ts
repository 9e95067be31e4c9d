/** Writes copies of one topic, one after the other, and says which are written; until it is killed. */
import { writeAtomically } from '../../src/sdk/cache/atomic-write.ts';
import { encodeCopy, fileNameOf } from '../../src/sdk/cache/copy-file.ts';
import { keptAt } from './kept.ts';

const [directory = '', server = '', topic = '', from = '1'] = process.argv.slice(2);

for (let revision = Number(from); ; revision++) {
  const kept = keptAt(server, revision, 4000);
  await writeAtomically(directory, fileNameOf(server, topic, kept.caller), encodeCopy(topic, kept));
  process.stdout.write(`${revision}\n`);
}
