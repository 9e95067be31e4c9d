import type { Command } from 'commander';
import type { CoverageRow } from '../domain/coverage-matrix.ts';
import { coverageText } from './coverage-text.ts';
import { failure } from './errors.ts';
import { apiOf, globalsOf } from './globals.ts';
import type { Io } from './io.ts';
import { collectList } from './selectors.ts';

interface CoverageOptions {
  readonly service?: readonly string[];
  readonly region?: readonly string[];
}

interface CoverageAnswer {
  readonly services: readonly CoverageRow[];
  readonly revision: number;
}

/** `signalbox coverage`: which service runs where, and what keeps it from running elsewhere. */
export function addCoverage(program: Command, io: Io): void {
  program
    .command('coverage')
    .summary('show which service runs in which region, and what is missing')
    .description(
      'Shows services against regions: what is deployed at which version, what is disabled, and which imports are missing where.',
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
      const answer = only(await apiOf(command).get<CoverageAnswer>('/v1/coverage', queryOf(options)), options);
      if (globalsOf(command).json === true) return io.out(JSON.stringify(answer));
      if (answer.services.length === 0)
        return io.out('There are no services yet. `signalbox apply -f FILE` brings some.');
      if (answer.services.every((row) => Object.keys(row.regions).length === 0)) {
        return io.out('There are no regions yet, so nothing can be deployed. `signalbox apply -f FILE` brings some.');
      }
      io.out(coverageText(answer.services, { width: io.width, style: io.style }));
    });
}

/** The server takes one service and one region; where several are asked for, it is asked for all. */
const queryOf = ({ service, region }: CoverageOptions) => ({
  service: service?.length === 1 ? service[0] : undefined,
  region: region?.length === 1 ? region[0] : undefined,
});

function only({ services, revision }: CoverageAnswer, options: CoverageOptions): CoverageAnswer {
  const known = new Set(services.map((row) => row.service));
  const missing = options.service?.find((service) => !known.has(service));
  if (missing !== undefined) throw failure(`There is no service ${JSON.stringify(missing)}`);
  const [first] = services;
  const nowhere = options.region?.find((region) => first !== undefined && !(region in first.regions));
  if (nowhere !== undefined) throw failure(`There is no region ${JSON.stringify(nowhere)}`);
  const rows = services.filter((row) => options.service?.includes(row.service) ?? true);
  return {
    services: rows.map((row) => ({
      ...row,
      regions: Object.fromEntries(
        Object.entries(row.regions).filter(([region]) => options.region?.includes(region) ?? true),
      ),
    })),
    revision,
  };
}
