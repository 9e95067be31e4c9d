import type { Command } from 'commander';

interface StartOptions {
  readonly host?: string;
  readonly port?: string;
  readonly dataDir?: string;
  readonly newEpoch?: true;
}

/** `signalbox start`: the server, in this process. */
export function addStart(program: Command): void {
  program
    .command('start')
    .summary('run the server')
    .description(
      'Runs the server in the foreground, until Ctrl-C. Its settings are environment variables; these options stand for some of them.',
    )
    .option('--host <address>', 'address to listen on (HOST)')
    .option('--port <port>', 'port to listen on (PORT)')
    .option('--data-dir <directory>', 'where the embedded database keeps its files (DATA_DIR)')
    .option('--new-epoch', 'begin a new history: after a database was restored from a backup (NEW_EPOCH)')
    .addHelpText(
      'after',
      `
Examples:
  signalbox start
  signalbox start --port 4500 --data-dir /var/lib/signalbox
  DATABASE_URL=postgres://signalbox@db/signalbox signalbox start`,
    )
    .action(async (options: StartOptions) => {
      set('HOST', options.host);
      set('PORT', options.port);
      set('DATA_DIR', options.dataDir);
      set('NEW_EPOCH', options.newEpoch === true ? 'true' : undefined);
      // Only here: the other commands need neither the database nor the time it takes to load.
      const { main } = await import('../main.ts');
      await main();
    });
}

function set(name: string, value: string | undefined): void {
  if (value !== undefined) process.env[name] = value;
}
