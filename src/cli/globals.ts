import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { isAccessToken } from '../sdk/access-token.ts';
import { usageError } from './errors.ts';
import { Api, baseUrl, type Token } from './http.ts';
import type { Io } from './io.ts';
import { isSafe } from './openid.ts';
import { savedToken } from './saved-token.ts';
import { seconds } from './selectors.ts';

/** Options that every command takes. */
export interface Globals {
  readonly url: string;
  readonly timeout: number;
  readonly json?: true;
  readonly tokenFile?: string;
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
    .addOption(
      new Option(
        '--token-file <file>',
        'the access token to show to the server; SIGNALBOX_TOKEN holds one itself. There is no option that does, since anyone on the machine could read it',
      ),
    )
    .addOption(new Option('--json', 'answer in JSON, for machines; errors are problem+json on standard error'));
}

export const globalsOf = (command: Command): Globals => command.optsWithGlobals<Globals>();

/** The server that the command line names. */
export function apiOf(command: Command, io: Pick<Io, 'env'>): Api {
  const { url, timeout } = globalsOf(command);
  return new Api(url, timeout * 1000, tokenOf(command, io));
}

/**
 * The token as it is now: whoever renews it writes the file anew, and a command may run for days. That of a login is shown
 * to the server that it is for, and to no other.
 */
export function tokenOf(command: Command, io: Pick<Io, 'env'>): Token {
  const { tokenFile, url } = globalsOf(command);
  const show = (token: string): string => {
    if (isSafe(baseUrl(url)) || io.env['SIGNALBOX_ALLOW_HTTP'] === '1') return token;
    throw usageError(
      `${baseUrl(url)} is neither https:// nor on this machine: a token sent there could be read on the way. Where the network keeps it safe, SIGNALBOX_ALLOW_HTTP=1 sends it all the same.`,
    );
  };
  if (tokenFile === undefined) {
    return () => {
      const token = checked(io.env['SIGNALBOX_TOKEN'] ?? '', 'SIGNALBOX_TOKEN');
      // A login is only kept for servers where that is no question.
      return token === undefined ? savedToken(baseUrl(url), io) : show(token);
    };
  }
  return () => {
    const token = checked(readToken(tokenFile), tokenFile);
    if (token !== undefined) return show(token);
    throw usageError(`${tokenFile} is empty; --token-file takes a file with an access token in it.`);
  };
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw usageError(`--token-file cannot be read: ${(error as Error).message}`);
  }
}

/** Never shows what it was given: it may be most of a token. */
function checked(text: string, where: string): string | undefined {
  const token = text.trim();
  if (token === '') return undefined;
  if (isAccessToken(token)) return token;
  throw usageError(`${where} does not hold an access token, which is one word of letters, digits and signs.`);
}
