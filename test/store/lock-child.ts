/** A process that takes and releases directory locks as it is told. */
import { lockDirectory, type DirectoryLock } from '../../src/store/embedded/directory-lock.ts';

let lock: DirectoryLock | undefined;

process.on('message', (message: { take?: string; release?: true }) => {
  void obey(message).then((answer) => process.send?.(answer));
});
process.send?.('ready');

async function obey({ take }: { take?: string }): Promise<string> {
  if (take === undefined) {
    await lock?.release();
    lock = undefined;
    return 'released';
  }
  try {
    lock = await lockDirectory(take);
    return 'won';
  } catch (error) {
    return (error as Error).name;
  }
}
