import type { Command } from 'commander';
import type { Coverage, CoverageRow, Place } from '../domain/coverage-matrix.ts';
import { NO_REGION } from '../domain/names.ts';
import { coverageText, livenessLines } from './coverage-text.ts';
import { failure } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Io } from './io.ts';
import { collectList } from './selectors.ts';

interface CoverageOptions {
  readonly service?: readonly string[];
  readonly region?: readonly string[];
}

interface CoverageAnswer extends Partial<Omit<Coverage, 'services'>> {
  readonly services: readonly CoverageRow[];
  readonly revision: number;
}

/** `signalbox coverage`: which service runs where, and what keeps it from running elsewhere. */
export function addCoverage(program: Command, io: Io): void {
  program
    .command('coverage')
    .summary('show which service runs in which region, and what is missing')
    .description(
      'Shows services against regions: what is deployed at which version, what is disabled, which imports are missing where, and how many instances can be called.',
    )
    .option('-s, --service <services>', 'only these services', collectList)
    .option('-r, --region <regions>', 'only these regions', collectList)
    .addHelpText(
      'after',
      `
Examples:
  signalbox coverage
  signalbox coverage -s fleet.acme.example
  signalbox coverage -r ap-south2 --json`,
    )
    .action(async (options: CoverageOptions, command: Command) => {
      const answer = only(await apiOf(command, io).get<CoverageAnswer>('/v1/coverage', queryOf(options)), options);
      if (globalsOf(command).json === true) return io.out(JSON.stringify(answer));
      io.out([matrixText(answer, io), ...livenessLines(answer, io.style)].join('\n\n'));
    });
}

function matrixText({ services }: CoverageAnswer, { width, style }: Io): string {
  if (services.length === 0) return 'There are no services yet. `signalbox apply -f FILE` brings some.';
  if (services.every((row) => Object.keys(row.regions).length === 0)) {
    return 'There are no regions yet, so nothing can be deployed. `signalbox apply -f FILE` brings some.';
  }
  return coverageText(services, { width, style });
}

/** The server takes one service and one region; where several are asked for, it is asked for all. */
const queryOf = ({ service, region }: CoverageOptions) => ({
  service: service?.length === 1 ? service[0] : undefined,
  region: region?.length === 1 ? region[0] : undefined,
});

function only(answer: CoverageAnswer, options: CoverageOptions): CoverageAnswer {
  const { services, deployedWithoutLiveInstance: lifeless, liveWithoutDeployment: undeclared = [] } = answer;
  const known = new Set([...services, ...undeclared].map(({ service }) => service));
  const missing = options.service?.find((service) => !known.has(service));
  if (missing !== undefined) throw failure(`There is no service ${JSON.stringify(missing)}`);
  const [first] = services;
  const regions = new Set([NO_REGION, ...Object.keys(first?.regions ?? {}), ...undeclared.map(({ region }) => region)]);
  const nowhere = first === undefined ? undefined : options.region?.find((region) => !regions.has(region));
  if (nowhere !== undefined) throw failure(`There is no region ${JSON.stringify(nowhere)}`);
  const isMeant = ({ service, region }: Place): boolean =>
    (options.service?.includes(service) ?? true) && (options.region?.includes(region) ?? true);
  return {
    ...answer,
    services: services
      .filter((row) => options.service?.includes(row.service) ?? true)
      .map((row) => onlyIn(row, options)),
    ...(lifeless !== undefined && { deployedWithoutLiveInstance: lifeless.filter(isMeant) }),
    ...(answer.liveWithoutDeployment !== undefined && { liveWithoutDeployment: undeclared.filter(isMeant) }),
  };
}

function onlyIn(row: CoverageRow, { region: regions }: CoverageOptions): CoverageRow {
  const cells = Object.entries(row.regions).filter(([region]) => regions?.includes(region) ?? true);
  return { ...row, regions: Object.fromEntries(cells) };
}
