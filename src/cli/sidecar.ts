import type { Command } from 'commander';
import type { SidecarConfig } from '../sidecar/config/settings.ts';
import { failure, type CliError } from './errors.ts';
import type { Io } from './io.ts';

interface SidecarOptions {
  readonly config?: string;
  readonly check?: true;
}

/** `signalbox sidecar`: a proxy beside a service in any language. */
export function addSidecar(program: Command, io: Io): void {
  program
    .command('sidecar')
    .summary('run the proxy that finds services for a backend, and registers it')
    .description(
      'Runs beside a service in any language, until Ctrl-C. The service calls others through it, by path or header; others call the service through it, and it registers the service while that is healthy. docs/sidecar.md lists its settings.',
    )
    .option(
      '--config <file>',
      'its settings in YAML (SIDECAR_CONFIG); variables such as SIDECAR_EGRESS_PORT come before it',
    )
    .option('--check', 'say what it would do, and whether anything would keep it from that; run nothing')
    .addHelpText(
      'after',
      `
Examples:
  signalbox sidecar --config sidecar.yaml --check
  signalbox sidecar --config sidecar.yaml
  SIDECAR_INGRESS_SERVICE=orders.example.com SIDECAR_INGRESS_BACKEND=http://127.0.0.1:8080 signalbox sidecar`,
    )
    .action(async (options: SidecarOptions) => {
      // Only here: the other commands do not need it.
      const { CannotStart, configOf, runSidecar } = await import('../sidecar/run.ts');
      const loaded = configOf(options.config, io.env);
      if (!loaded.ok) throw wrong(loaded.errors);
      if (options.check === true) return check(loaded.config, io);
      const sidecar = await runSidecar(loaded.config).catch((error: unknown) => {
        throw error instanceof CannotStart ? wrong([error.message]) : error;
      });
      await new Promise<void>((resolve) => io.onInterrupt(resolve));
      await sidecar.close();
    });
}

async function check(config: SidecarConfig, io: Io): Promise<void> {
  const { check: report, CHECKS } = await import('../sidecar/check.ts');
  const { lines, faults } = await report(config, CHECKS);
  for (const line of lines) io.out(line);
  if (faults.length > 0) throw wrong(faults);
}

const wrong = (faults: readonly string[]): CliError => failure('The sidecar cannot run so', faults.join('\n'));
