import { Command, CommanderError, Help, Option } from 'commander';
import { addApply } from './apply.ts';
import { addAudit } from './audit.ts';
import { addCoverage } from './coverage.ts';
import { addDrain, addUndrain } from './drain.ts';
import { CliError, EndedWith, EXIT, usageError, type ExitCode } from './errors.ts';
import { addExport } from './export.ts';
import { addGet } from './get.ts';
import { addGlobals, type Globals } from './globals.ts';
import type { Io } from './io.ts';
import { addLogin, addLogout, addWhoami } from './login.ts';
import { packageVersion } from './package-version.ts';
import { problemText } from './problem-text.ts';
import { addNodes } from './nodes.ts';
import { addRegister } from './register.ts';
import { addSidecar } from './sidecar.ts';
import { addStart } from './start.ts';
import { addStatus } from './status.ts';
import { addSubscribers } from './subscribers.ts';
import { addTokens } from './tokens.ts';
import { addWatch } from './watch.ts';

function createProgram(io: Io): Command {
  const program = new Command('signalbox')
    .description('The command line of Signalbox, a control plane for distributed services.')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, visibleOptions: withVersion })
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      // `run` tells errors of all kinds alike.
      outputError: () => {},
      getOutHelpWidth: () => io.width ?? 100,
      getErrHelpWidth: () => io.width ?? 100,
    })
    .helpCommand('help [command]', 'say more about a command')
    .addHelpText(
      'after',
      `
Environment:
  SIGNALBOX_URL   where Signalbox is, when --url does not say so
  NODE_EXTRA_CA_CERTS  a file with the authority of the server's certificate, where that is your own
  SIGNALBOX_TOKEN an access token, when --token-file names none; without, that of \`signalbox login\`
  SIGNALBOX_ALLOW_HTTP  1 shows that token to other machines without TLS as well
  NO_COLOR        set to anything: no colours

Exit codes:
  0  done
  1  the server refused, or something went wrong
  2  the command line is wrong
  3  the server cannot be reached

Examples:
  signalbox start
  signalbox apply -f examples/spektra-edge/
  signalbox get services
  signalbox register --service orders.example.com --port 8080 -- node server.js
  signalbox watch`,
    );
  addGlobals(program, io);
  addStart(program);
  addApply(program, io);
  addExport(program, io);
  addGet(program, io);
  addCoverage(program, io);
  addWatch(program, io);
  addRegister(program, io);
  addSidecar(program, io);
  addDrain(program, io);
  addUndrain(program, io);
  addTokens(program, io);
  addSubscribers(program, io);
  addNodes(program, io);
  addStatus(program, io);
  addAudit(program, io);
  addLogin(program, io);
  addLogout(program, io);
  addWhoami(program, io);
  return program;
}

/** Commander would take `--version` for its own behind a command as well, where it is about instances. */
const VERSION = new Option('-V, --version', 'print the version of this command');

function withVersion(this: Help, command: Command): Option[] {
  const options = Help.prototype.visibleOptions.call(this, command);
  return command.parent === null ? [VERSION, ...options] : options;
}

function asksForVersion(args: readonly string[], program: Command): boolean {
  const at = args.findIndex((arg) => program.commands.some((command) => command.name() === arg));
  return args.slice(0, at === -1 ? args.length : at).some((arg) => arg === '-V' || arg === '--version');
}

/** Carries out a command line (without node and script) and answers the exit code; what went wrong has been said. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const program = createProgram(io);
  try {
    if (asksForVersion(args, program)) {
      io.out(packageVersion());
      return EXIT.ok;
    }
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (error instanceof EndedWith) return error.code;
    // Commander has printed the help of a command line that names no command.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
    return report(error instanceof CommanderError ? fromCommander(error) : error, program.opts<Globals>(), args, io);
  }
}

const fromCommander = ({ message }: CommanderError): CliError =>
  usageError(`${message.replace(/^error: /, '').replace('\n', ' ')}\n\`signalbox help [command]\` says what there is.`);

function report(error: unknown, { url }: Partial<Globals>, args: readonly string[], io: Io): ExitCode {
  if (!(error instanceof CliError)) {
    io.err(
      `This is a mistake in signalbox itself: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return EXIT.failed;
  }
  // Commander may have stopped before it came to the option. What follows -- is another command's.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (own.includes('--json')) io.err(JSON.stringify(error.problem));
  else io.err(problemText(error.problem, { style: io.errStyle, url: (url ?? '').replace(/\/+$/, '') }));
  return error.exitCode;
}
