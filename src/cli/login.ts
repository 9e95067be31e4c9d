import type { Command } from 'commander';
import { openCallbackServer } from './callback-server.ts';
import { Credentials, type Login } from './credentials.ts';
import { CliError, failure, usageError } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import { Api, baseUrl } from './http.ts';
import type { Io } from './io.ts';
import { openBrowser } from './open-browser.ts';
import { isSafe, Openid, type Way } from './openid.ts';
import { openidOf } from './saved-token.ts';
import { printable } from './style.ts';
import { whoText, type Who } from './whoami-text.ts';

interface LoginOptions {
  readonly device?: true;
  readonly issuer?: string;
  readonly browser: boolean;
}

/** As `/v1/auth` answers. */
interface Auth {
  readonly issuers: readonly {
    readonly issuer: string;
    readonly title?: string;
    readonly cliClientId?: string;
    readonly scopes?: readonly string[];
    readonly resource?: string;
    readonly parameters?: Readonly<Record<string, string>>;
  }[];
}

/** `signalbox login`: tokens of the server's identity provider, for the commands that follow. */
export function addLogin(program: Command, io: Io): void {
  program
    .command('login')
    .summary('log in to a server')
    .description(
      'Logs in at the identity provider of the server, with a browser on this machine or, with --device, on another. The commands that follow show the token to that server, and to no other, and renew it; SIGNALBOX_TOKEN and --token-file count more.',
    )
    .option('--device', 'show a code to enter in a browser anywhere, such as on a telephone')
    .option('--issuer <url>', 'which identity provider, where the server has several')
    .option('--no-browser', 'only print the URL, and open nothing')
    .addHelpText(
      'after',
      `
What it gets is kept in $XDG_CONFIG_HOME/signalbox/credentials.json (~/.config without), which nobody else can read.

Examples:
  signalbox login
  signalbox login --url https://signalbox.example.com
  signalbox login --device`,
    )
    .action(async (options: LoginOptions, command: Command) => {
      const { url, timeout, json } = globalsOf(command);
      const server = baseUrl(url);
      if (!isSafe(server)) {
        throw usageError(
          `${server} is neither https:// nor on this machine: a token sent there could be read on the way.`,
        );
      }
      const way = wayIn(await new Api(server, timeout * 1000).get<Auth>('/v1/auth'), options.issuer, server);
      const openid = await Openid.open(way);
      const login = options.device === true ? await withDevice(openid, io) : await withBrowser(openid, options, io);
      const who = await whoIs(new Api(server, timeout * 1000, () => login.accessToken));
      await new Credentials(io).put(server, { ...login, subject: who.subject });
      io.out(json === true ? JSON.stringify(who) : whoText(server, who, io.style));
    });
}

/** `signalbox logout`: forgets the login, and withdraws its tokens where the issuer can. */
export function addLogout(program: Command, io: Io): void {
  program
    .command('logout')
    .summary('forget the login at a server')
    .description('Forgets the login at the server, and has its identity provider withdraw the tokens, where it can.')
    .action(async (_options: unknown, command: Command) => {
      const { url, json } = globalsOf(command);
      const server = baseUrl(url);
      const login = await new Credentials(io).remove(server);
      const withdrawn = login === undefined ? undefined : await withdraw(login, io);
      if (json === true)
        io.out(JSON.stringify({ server, loggedOut: login !== undefined, withdrawn: withdrawn === true }));
      else io.out(login === undefined ? `Nobody was logged in at ${server}.` : `Logged out of ${server}.`);
    });
}

/** `signalbox whoami`: who the server takes this command for. */
export function addWhoami(program: Command, io: Io): void {
  program
    .command('whoami')
    .summary('show who the server takes you for')
    .description('Shows who the server takes this command for, by the token it would show: subject, roles, services.')
    .action(async (_options: unknown, command: Command) => {
      const api = apiOf(command, io);
      const who = await api.get<Who>('/v1/whoami');
      io.out(globalsOf(command).json === true ? JSON.stringify(who) : whoText(api.url, who, io.style));
    });
}

/** What the issuer has given may not be what the server takes. */
async function whoIs(api: Api): Promise<Who> {
  try {
    return await api.get<Who>('/v1/whoami');
  } catch (error) {
    if (!(error instanceof CliError) || error.problem.status !== 401) throw error;
    const detail = `${error.problem.detail ?? ''} Whoever runs ${api.url} can mend its OIDC_ISSUERS, or the issuer.`;
    throw failure('The server does not take the token of its own identity provider', detail.trim());
  }
}

function wayIn({ issuers }: Auth, wanted: string | undefined, server: string): Way {
  const ways = issuers.flatMap(({ issuer, cliClientId, scopes = ['openid'], resource, parameters = {} }) =>
    cliClientId === undefined
      ? []
      : { issuer, clientId: cliClientId, scopes, parameters, ...(resource !== undefined && { resource }) },
  );
  const list = ways.map(({ issuer }) => printable(issuer)).join(', ');
  const [way, another] = wanted === undefined ? ways : ways.filter(({ issuer }) => issuer === wanted);
  if (way === undefined && ways.length > 0) throw usageError(`--issuer has to be one of ${list}.`);
  if (way === undefined) {
    throw failure(
      'The command line cannot log in there',
      `No identity provider of ${server} has a client for it (\`cliClientId\` in OIDC_ISSUERS). Show a token of another client with SIGNALBOX_TOKEN or --token-file.`,
    );
  }
  if (another !== undefined)
    throw usageError(`The server has several identity providers; choose with --issuer: ${list}.`);
  return way;
}

async function withBrowser(openid: Openid, { browser }: LoginOptions, io: Io): Promise<Login> {
  const callback = await openCallbackServer();
  try {
    return await openid.withBrowser(callback.redirectUri, async (url) => {
      io.err(`Log in with a browser on this machine:\n\n  ${url}\n`);
      const visited = callback.visited(new URL(url).searchParams.get('state') ?? '');
      if (browser) openBrowser(url);
      try {
        return await visited;
      } catch (error) {
        throw failure('Nobody has logged in', `${(error as Error).message}; begin again.`);
      }
    });
  } finally {
    callback.close();
  }
}

function withDevice(openid: Openid, io: Io): Promise<Login> {
  if (!openid.hasDeviceFlow) {
    throw failure('The issuer has no device flow', 'Log in without --device, on a machine with a browser.');
  }
  return openid.withDevice(({ url, whole, code }) => {
    io.err(`Go to ${printable(url)} with any browser, and enter the code\n\n  ${printable(code)}\n`);
    if (whole !== undefined) io.err(`Or go to ${printable(whole)}, and see whether the code is this one.\n`);
  });
}

/** The login is forgotten in any case. */
async function withdraw(login: Login, io: Io): Promise<boolean> {
  try {
    await (await openidOf(login)).revoke(login);
    return true;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    io.err(`Its tokens were not withdrawn and end by themselves: ${error.message}`);
    return false;
  }
}
