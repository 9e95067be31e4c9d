import { Option, type Command } from 'commander';
import { milliseconds } from '../domain/duration.ts';
import { HttpDesk } from '../sdk/registration/http-desk.ts';
import { Keeper, type About } from '../sdk/registration/keeper.ts';
import { ownAddress } from '../sdk/registration/own-address.ts';
import { KeepPlan, type Say } from '../sdk/registration/plan.ts';
import { startChild, type Child } from './child.ts';
import { EndedWith, failure, type CliError, type ProblemBody } from './errors.ts';
import { globalsOf, tokenOf } from './globals.ts';
import { baseUrl, refusalOf, whyUnreachable } from './http.ts';
import { hostOf } from './instance-text.ts';
import type { EndSignal, Io } from './io.ts';
import { portIsOpen } from './port-is-open.ts';
import { problemText } from './problem-text.ts';
import { sayText } from './register-text.ts';
import {
  assertValid,
  attemptMs,
  registrationBody,
  type RegistrationBody,
  type RegistrationOptions,
} from './registration-options.ts';
import { collectLabels, collectPair, duration, portNumber, weightNumber } from './selectors.ts';

interface RegisterOptions extends RegistrationOptions {
  readonly address?: string;
  /** False with --no-wait. */
  readonly wait: string | false;
}

/** `signalbox register`: an instance that is registered as long as a command runs. */
export function addRegister(program: Command, io: Io): void {
  program
    .command('register')
    .summary('run a command, and keep it registered as an instance as long as it runs')
    .description(
      'Runs a command and registers it as an instance of a service once its port takes connections: renews its lease, registers it again when Signalbox has lost it or was away, and deregisters it before a signal is passed on to it, and when it ends. The exit code is that of the command. Without a command, it keeps the registration of what runs elsewhere, until Ctrl-C.',
    )
    .argument('[command...]', 'after --: what to run, and its arguments')
    .requiredOption('--service <service>', 'the id of the service, such as orders.example.com')
    .requiredOption('--port <port>', 'where it listens', portNumber)
    .option(
      '--address <address>',
      'where others reach it; by default POD_IP, STATUS_HOST_IP, or the address of the route to Signalbox',
    )
    .option('--protocol <protocol>', 'what it speaks', 'http')
    .option('--environment <environment>', 'a part of what it is, such as prod')
    .option('--version <version>', 'of its API, or of the build')
    .option('--region <region>', 'where it runs')
    .option('--weight <number>', 'its share of the calls, beside the others (1)', weightNumber)
    .option('--tag <tags>', 'KEY=VALUE, for filters; several between commas or repeated', collectLabels)
    .option('--meta <pair>', 'KEY=VALUE, for its callers; repeated', collectPair)
    .addOption(
      new Option(
        '--check <check>',
        'how Signalbox knows that it lives: ttl (a lease that this command renews), http, http:/PATH, tcp, grpc, grpc:SERVICE, or JSON',
      ).default('ttl'),
    )
    .option('--ttl <duration>', 'the lease of --check ttl (15s)', duration)
    .option('--interval <duration>', 'how often the other checks are made (10s)', duration)
    .option('--check-timeout <duration>', 'how long one of them may take (2s)', duration)
    .option('--deregister-after <duration>', 'remove it when it was critical for so long (10m)', duration)
    .addOption(new Option('--wait <duration>', 'how long its port may take to open').argParser(duration).default('30s'))
    .option('--no-wait', 'register at once, whether or not the port is open')
    .addHelpText(
      'after',
      `
What this command has to say goes to standard error, with --json as lines of JSON; standard output is the command's.

Examples:
  signalbox register --service orders.example.com --port 8080 -- node server.js
  signalbox register --service orders.example.com --port 8080 --region eu-central --version v1 --check http:/health/{serviceId} -- ./orders
  signalbox register --service db.example.com --port 5432 --protocol postgres --check tcp --address 10.0.4.17`,
    )
    .action(async (words: readonly string[], options: RegisterOptions, command: Command) => {
      const { url, timeout, json } = globalsOf(command);
      const base = baseUrl(url);
      const body = registrationBody(options, options.address ?? (await addressOf(io, base)));
      await assertValid(body);
      const token = tokenOf(command, io);
      // What is wrong with it is said before anything runs.
      await token();
      const desk = new HttpDesk({ urls: [base], token, explain: whyUnreachable });
      const [file, ...args] = words;
      const child = file === undefined ? undefined : await startChild(file, args);
      const code = await keep({
        io,
        url: base,
        desk,
        body,
        timeoutMs: timeout * 1000,
        options,
        child,
        json: json === true,
      });
      if (code !== 0) throw new EndedWith(code);
    });
}

/** A command is not registered at an address that nobody else could call. */
function addressOf(io: Pick<Io, 'env'>, url: string): Promise<string> {
  return ownAddress(io.env, url).catch((error: Error) => {
    throw failure(error.message, '--address says where others reach it.');
  });
}

interface Keep {
  readonly io: Io;
  readonly url: string;
  readonly desk: HttpDesk;
  readonly body: RegistrationBody;
  readonly timeoutMs: number;
  readonly options: RegisterOptions;
  readonly child: Child | undefined;
  readonly json: boolean;
}

/** Resolves with an exit code: once the command has ended, or without one when somebody ends this. */
async function keep(k: Keep): Promise<number> {
  const { io, desk, body, options, child } = k;
  const plan = new KeepPlan({ waitMs: options.wait === false ? undefined : milliseconds(options.wait) });
  let keeper: Keeper | undefined;
  let off: (() => void) | undefined;
  try {
    return await new Promise((resolve, reject) => {
      const onSay = (say: Say, about: About): void => {
        const final = child === undefined ? finalError(say, about, k) : undefined;
        if (final === undefined) tell(say, about, k);
        else reject(final);
      };
      const one = new Keeper({
        desk,
        plan,
        registration: body,
        look: (signal) => portIsOpen(body.address, body.port, signal),
        attemptMs: () => attemptMs(body, k.timeoutMs),
        onSay,
        onFailure: reject,
      });
      keeper = one;
      off = io.onSignal(child === undefined ? () => resolve(0) : signalsTo(child, one, io));
      child?.ended.then(resolve, reject);
      one.start();
    });
  } finally {
    await keeper?.stop();
    off?.();
  }
}

/** Callers are told before the command stops taking their calls. Who signals twice is in a hurry. */
function signalsTo(child: Child, keeper: Keeper, io: Io): (signal: EndSignal) => void {
  let signals = 0;
  return (signal) => {
    signals += 1;
    // Ctrl-C goes to all processes of the terminal, and many programs take a second one for "at once".
    const hasIt = signals === 1 && signal === 'SIGINT' && io.stdin.isTTY === true;
    const pass = (): void => {
      if (!hasIt) child.pass(signal);
    };
    if (signals > 1) pass();
    else void keeper.stop().then(pass, pass);
  };
}

/** A command runs on whatever becomes of its registration; without one there is nothing to wait for. */
function finalError(say: Say, { error }: About, { body, options }: Keep): CliError | undefined {
  if (say === 'refused') return refusalOf(problemOf(error));
  if (say !== 'closed') return undefined;
  return failure(
    `Nothing takes connections at ${hostOf(body.address)}:${body.port}`,
    `${String(options.wait)} were waited for it; --wait waits longer, --no-wait registers all the same, and --address says that it is elsewhere.`,
  );
}

/** What the server said, all of it: the SDK looks at a part. */
const problemOf = (error: About['error']): ProblemBody => error?.problem ?? {};

function tell(say: Say, about: About, { io, url, body, options, json }: Keep): void {
  const text = sayText(say, about, { body, wait: options.wait });
  // What comes of it is told.
  if (text === undefined) return;
  const problem = say === 'refused' ? refusalOf(problemOf(about.error)).problem : undefined;
  if (json) {
    const { id, generation, lease, detectionBound } = about.registered ?? {};
    return io.err(JSON.stringify({ event: say, message: text, id, generation, lease, detectionBound, problem }));
  }
  io.err(`signalbox: ${text}`);
  if (problem !== undefined) io.err(problemText(problem, { style: io.errStyle, url }));
}
