import { Option, type Command } from 'commander';
import { Api } from './http.ts';
import type { Io } from './io.ts';
import { seconds } from './selectors.ts';

/** Options that every command takes. */
export interface Globals {
  readonly url: string;
  readonly timeout: number;
  readonly json?: true;
}

export const DEFAULT_URL = 'http://127.0.0.1:4400';

export function addGlobals(program: Command, io: Io): Command {
  const url = io.env['SIGNALBOX_URL'];
  return program
    .addOption(new Option('--url <url>', 'where Signalbox is; SIGNALBOX_URL says the same').default(url || DEFAULT_URL))
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait while the server says nothing')
        .argParser(seconds)
        .default(30),
    )
    .addOption(new Option('--json', 'answer in JSON, for machines; errors are problem+json on standard error'));
}

export const globalsOf = (command: Command): Globals => command.optsWithGlobals<Globals>();

/** The server that the command line names. */
export function apiOf(command: Command): Api {
  const { url, timeout } = globalsOf(command);
  return new Api(url, timeout * 1000);
}
