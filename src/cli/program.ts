import { Command, CommanderError } from 'commander';
import { addApply } from './apply.ts';
import { addCoverage } from './coverage.ts';
import { CliError, EXIT, usageError, type ExitCode } from './errors.ts';
import { addExport } from './export.ts';
import { addGet } from './get.ts';
import { addGlobals, type Globals } from './globals.ts';
import type { Io } from './io.ts';
import { packageVersion } from './package-version.ts';
import { problemText } from './problem-text.ts';
import { addStart } from './start.ts';
import { addStatus } from './status.ts';
import { addWatch } from './watch.ts';

function createProgram(io: Io): Command {
  const program = new Command('signalbox')
    .description('The command line of Signalbox, a control plane for distributed services.')
    .version(packageVersion(), '-V, --version', 'print the version of this command')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
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
  signalbox watch`,
    );
  addGlobals(program, io);
  addStart(program);
  addApply(program, io);
  addExport(program, io);
  addGet(program, io);
  addCoverage(program, io);
  addWatch(program, io);
  addStatus(program, io);
  return program;
}

/** Carries out a command line (without node and script) and answers the exit code; what went wrong has been said. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const program = createProgram(io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
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
  // Commander may have stopped before it came to the option.
  if (args.includes('--json')) io.err(JSON.stringify(error.problem));
  else io.err(problemText(error.problem, { style: io.errStyle, url: (url ?? '').replace(/\/+$/, '') }));
  return error.exitCode;
}
