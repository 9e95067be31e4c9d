import { printable, type Style } from './style.ts';

/** As `/v1/whoami` answers, as far as it is shown. */
export interface Who {
  readonly kind: string;
  readonly subject: string;
  readonly account?: string;
  readonly project?: string;
  readonly roles: readonly string[];
  readonly services: readonly string[];
  readonly by: string;
  readonly expiresAt?: string;
}

export function whoText(url: string, who: Who, style: Style): string {
  const { kind, subject, account, project, roles, services, by, expiresAt } = who;
  if (kind === 'stranger') return `Nobody, at ${url}. \`signalbox login\` logs in.`;
  const facts: [string, string | undefined][] = [
    ['server', url],
    ['subject', subject],
    ['account', account],
    ['project', project],
    ['roles', roles.join(', ')],
    ['services', services.join(', ') || (kind === 'administrator' ? 'all' : 'none')],
    ['known by', by === 'nothing' ? 'being on this machine' : `a ${by}`],
    ['until', expiresAt],
  ];
  return facts
    .flatMap(([name, value]) => (value === undefined ? [] : `${style.bold(name.padEnd(10))}${printable(value)}`))
    .join('\n');
}
