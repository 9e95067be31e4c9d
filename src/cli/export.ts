import type { Command } from 'commander';
import { apiOf } from './globals.ts';
import type { Io } from './io.ts';
import { collectLabels, labelsText } from './selectors.ts';

interface ExportOptions {
  readonly service?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly yaml?: true;
}

/** `signalbox export`: the catalog, in the form that `apply` takes. */
export function addExport(program: Command, io: Io): void {
  program
    .command('export')
    .summary('write the catalog to standard output')
    .description(
      'Writes every resource to standard output, one JSON object a line (NDJSON). Applying it again changes nothing.',
    )
    .option('-s, --service <service>', 'only this service and what is below it')
    .option('-l, --label <labels>', 'only what carries all of these labels, KEY=VALUE', collectLabels)
    .option('--yaml', 'as YAML documents, for people to edit')
    .addHelpText(
      'after',
      `
Examples:
  signalbox export > catalog.ndjson
  signalbox export --yaml -s iam.edgelq.com > iam.yaml
  signalbox export | jq -r .name
  signalbox export | signalbox apply -f - --url http://other:4400`,
    )
    .action(async ({ service, label, yaml }: ExportOptions, command: Command) => {
      const accept = yaml === true ? 'application/yaml' : 'application/x-ndjson';
      const query = { service, labels: label === undefined ? undefined : labelsText(label) };
      for await (const bytes of apiOf(command, io).stream('GET', '/v1/export', { accept, query }))
        await io.write(bytes);
    });
}
