import type { Command } from 'commander';
import type { Instance, OverrideBody } from '../domain/instances/instance.ts';
import { ID_PATTERNS, instanceOverrideName, NO_REGION, regionOverrideName } from '../domain/names.ts';
import { CliError, usageError } from './errors.ts';
import { findInstanceId } from './find-instance.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Api } from './http.ts';
import { placeOf } from './instance-text.ts';
import type { Io } from './io.ts';
import { weightNumber } from './selectors.ts';
import { count, printable } from './style.ts';

interface TargetOptions {
  readonly service?: string;
  readonly region?: string;
  readonly dryRun?: true;
}

interface DrainOptions extends TargetOptions {
  readonly reason: string;
  readonly weight?: number;
  readonly maintenance?: true;
}

/** Whom it is about, in words and as the name of the override. */
interface Target {
  readonly override: string;
  readonly words: string;
  /** How many instances that are there now. */
  readonly instances: number;
}

/** What `PUT` and `DELETE` of an override answer, as far as it is told. */
interface OverrideAnswer {
  /** How many instances are another way than before. */
  readonly affected?: number;
  readonly revision?: number;
}

const INSTANCE = 'the instance: its id, the beginning of it, or its address:port';

/** `signalbox drain`: no new calls to an instance, or to all of a service in a region (INS5). */
export function addDrain(program: Command, io: Io): void {
  program
    .command('drain')
    .summary('send callers elsewhere: away from an instance, or from a service in a region')
    .description(
      'Sets an override: callers are told that they send no new calls there. It stays until `signalbox undrain`, over restarts of the instances and of Signalbox, and when instances register again. Doing it twice is doing it once.',
    )
    .argument('[instance]', INSTANCE)
    .option('-s, --service <service>', 'instead: all instances of this service, with -r')
    .option('-r, --region <region>', 'in this region; - for those that name none')
    .requiredOption('--reason <text>', 'why; everybody who sees the instance sees it')
    .option('--maintenance', 'out of service, rather than only without new calls')
    .option('--weight <number>', 'only give it this share of the calls, and leave it in service', weightNumber)
    .option('--dry-run', 'say what would change, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  signalbox drain 3f1c0e9a --reason 'kernel upgrade'
  signalbox drain 10.0.4.17:8080 --reason 'slow disk' --maintenance
  signalbox drain -s orders.example.com -r eu-central --reason 'moving out' --dry-run
  signalbox drain 3f1c0e9a --weight 1 --reason 'canary, a hundredth of the calls'`,
    )
    .action(async (text: string | undefined, options: DrainOptions, command: Command) => {
      const body = bodyOf(options);
      const api = apiOf(command, io);
      const target = await targetOf(api, text, options);
      const query = options.dryRun === true ? { dryRun: true } : {};
      const answer = await api.sendJson<OverrideAnswer>('PUT', `/v1/${target.override}`, body, { query });
      if (globalsOf(command).json === true)
        return io.out(JSON.stringify({ dryRun: options.dryRun === true, ...answer }));
      io.out(`${target.words}: ${whatIsSet(body, options.dryRun === true)} (${printable(body.reason)}).`);
      io.out(howMany(target, answer, options.dryRun === true));
      if (options.dryRun !== true) io.out(`\`signalbox undrain ${wordsFor(text, options)}\` lifts it.`);
    });
}

/** `signalbox undrain`: the override is lifted. */
export function addUndrain(program: Command, io: Io): void {
  program
    .command('undrain')
    .summary('lift what `drain` has set')
    .description(
      'Lifts an override, so that an instance counts again as it registered. Doing it twice is doing it once.',
    )
    .argument('[instance]', INSTANCE)
    .option('-s, --service <service>', 'instead: all instances of this service, with -r')
    .option('-r, --region <region>', 'in this region; - for those that name none')
    .option('--dry-run', 'say what would change, and change nothing')
    .addHelpText(
      'after',
      `
An override of a region and one of an instance in it are lifted apart.

Examples:
  signalbox undrain 3f1c0e9a
  signalbox undrain 10.0.4.17:8080
  signalbox undrain -s orders.example.com -r eu-central`,
    )
    .action(async (text: string | undefined, options: TargetOptions, command: Command) => {
      const api = apiOf(command, io);
      const target = await targetOf(api, text, options);
      const dryRun = options.dryRun === true;
      const answer = await lift(api, target, dryRun);
      if (globalsOf(command).json === true)
        return io.out(JSON.stringify({ dryRun, lifted: answer !== undefined, ...answer }));
      if (answer === undefined) return io.out(`${target.words}: there is no override to lift.`);
      io.out(`${target.words}: the override ${dryRun ? 'would be' : 'is'} lifted.`);
      io.out(howMany(target, answer, dryRun));
    });
}

async function lift(api: Api, { override }: Target, dryRun: boolean): Promise<OverrideAnswer | undefined> {
  try {
    return await api.send<OverrideAnswer>('DELETE', `/v1/${override}`, { query: dryRun ? { dryRun } : {} });
  } catch (error) {
    if (error instanceof CliError && error.problem.status === 404) return undefined;
    throw error;
  }
}

function bodyOf({ reason, weight, maintenance }: DrainOptions): OverrideBody {
  if (reason.trim() === '') throw usageError('--reason says why, in a few words.');
  if (weight === undefined) return { mode: maintenance === true ? 'maintenance' : 'drain', reason };
  if (maintenance === true) throw usageError('What is under maintenance gets no calls: leave out --weight.');
  return { weight, reason };
}

const WHAT = { drain: 'drained', maintenance: 'out of service', serving: 'in service' } as const;

function whatIsSet({ mode, weight }: OverrideBody, dryRun: boolean): string {
  const what = mode === undefined ? `in service with weight ${weight}` : WHAT[mode];
  return dryRun ? `would be ${what}` : what;
}

function howMany({ instances }: Target, { affected }: OverrideAnswer, dryRun: boolean): string {
  if (affected === undefined) return `${count(instances, 'instance')}.`;
  if (affected === 0 && instances === 0) return 'No instance is there now.';
  if (affected === 0) return 'No instance changes: it was so already, or an override of its own comes first.';
  const change = dryRun ? 'would change' : affected === 1 ? 'changes' : 'change';
  return `${affected} of ${count(instances, 'instance')} ${change}.`;
}

async function targetOf(api: Api, text: string | undefined, options: TargetOptions): Promise<Target> {
  const { service, region } = options;
  if (text !== undefined) {
    if (service !== undefined || region !== undefined) throw usageError('Say an instance, or -s and -r; not both.');
    return instanceTarget(api, await findInstanceId(api, text));
  }
  if (service === undefined || region === undefined) {
    throw usageError('Say which: an instance, or -s SERVICE and -r REGION (- for instances that name no region).');
  }
  checkId('service', service);
  if (region !== NO_REGION) checkId('region', region);
  const path = `/v1/services/${service}/instances`;
  const { items } = await api.get<{ readonly items: readonly unknown[] }>(path, { region });
  const where = region === NO_REGION ? 'without a region' : `in ${region}`;
  return { override: regionOverrideName(service, region), words: `${service} ${where}`, instances: items.length };
}

/** What was set outlives the instance, so that it need not be there. */
async function instanceTarget(api: Api, id: string): Promise<Target> {
  const override = instanceOverrideName(id);
  try {
    const instance = await api.get<Instance>(`/v1/instances/${id}`);
    return { override, words: `${id}, ${placeOf(instance)}`, instances: 1 };
  } catch (error) {
    if (!(error instanceof CliError) || error.problem.status !== 404) throw error;
    return { override, words: `${id}, which is not there now`, instances: 0 };
  }
}

function checkId(kind: 'service' | 'region', id: string): void {
  if (new RegExp(ID_PATTERNS[kind]).test(id)) return;
  throw usageError(`"${printable(id)}" is not the id of a ${kind}.`);
}

const wordsFor = (text: string | undefined, { service, region }: TargetOptions): string =>
  printable(text ?? `-s ${service} -r ${region}`);
