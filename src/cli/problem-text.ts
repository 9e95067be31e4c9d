import type { Fix, Violation } from '../domain/errors.ts';
import type { ErrorBody, ProblemBody } from './errors.ts';
import { count, plain, printable, type Style } from './style.ts';

export interface ProblemTextOptions {
  /** Where the server is, for the commands that mend. */
  readonly url?: string;
  readonly style?: Style;
}

/** A problem as lines for a person: what happened, where, why, and the commands that would mend it. */
export function problemText(problem: ProblemBody, options: ProblemTextOptions = {}): string {
  const style = options.style ?? plain;
  const title = printable(problem.title ?? 'The server refused');
  const lines = [
    `${style.red(style.bold(`${title}.`))}${problem.status === undefined ? '' : style.dim(` (${code(problem)})`)}`,
  ];
  const violations = problem.violations ?? [];
  const errors = problem.errors ?? [];
  // The violations say it one by one.
  if (problem.detail !== undefined && violations.length === 0) lines.push(...problem.detail.split('\n').map(printable));
  for (const error of errors) {
    lines.push(`  ${style.yellow(whereOf(error))}  ${printable(error.detail ?? '')}`);
  }
  if (violations.length > 0) lines.push(...violationLines(violations, options, style));
  if (problem.retryAfter !== undefined) lines.push(`Try again in ${count(problem.retryAfter, 'second')}.`);
  if (problem.status !== undefined && problem.status >= 500 && problem.requestId !== undefined) {
    lines.push(style.dim(`request ${printable(problem.requestId)}`));
  }
  return lines.join('\n');
}

const code = ({ status, type }: ProblemBody): string =>
  type === undefined || type === 'about:blank' ? `${status}` : `${status} ${printable(type.split('/').at(-1) ?? '')}`;

function whereOf({ place, resource, field, pointer, parameter, header }: ErrorBody): string {
  if (place !== undefined) return printable([place, resource, field].filter(Boolean).join(' '));
  if (pointer !== undefined) return printable([resource, pointer].filter(Boolean).join(' ') || 'the body');
  return printable(parameter ?? header ?? 'the request');
}

/** Violations that one request would mend stand together, above it. */
function violationLines(violations: readonly Violation[], options: ProblemTextOptions, style: Style): string[] {
  const groups = new Map<string, Violation[]>();
  for (const violation of violations) {
    const { fix } = violation;
    const key = fix === undefined ? violation.code : JSON.stringify([fix.method, fix.path, fix.body]);
    groups.set(key, [...(groups.get(key) ?? []), violation]);
  }
  const lines: string[] = [];
  for (const group of groups.values()) {
    lines.push('');
    for (const { rule, code: what, message } of group) {
      lines.push(`  ${style.red('✗')} ${printable(message)} ${style.dim(`[${rule} ${printable(what)}]`)}`);
    }
    const fix = group[0]?.fix;
    if (fix === undefined) continue;
    lines.push(`    ${style.green('fix:')} ${printable(fix.summary)}`);
    for (const line of fixCommand(fix, options.url).split('\n')) lines.push(`      ${style.cyan(line)}`);
  }
  const mends = [...groups.values()].filter(([first]) => first?.fix !== undefined).length;
  lines.push('', `${count(violations.length, 'violation')}, ${count(mends, 'fix', 'fixes')}; nothing was changed.`);
  return lines;
}

/**
 * A fix as a command for a shell. It needs nothing but curl, so that it can be sent to whoever owns the other service; it
 * has no here-document, so that it may be indented.
 */
export function fixCommand({ method, path, body }: Fix, url = ''): string {
  const address = quote(`${url}${path}`);
  const verb = method === 'POST' && body !== undefined ? '' : ` -X ${method}`;
  if (body === undefined) return `curl${verb} ${address}`;
  if (path === '/v1/apply' && Array.isArray(body)) {
    const lines = body.map((document) => `\n${JSON.stringify(document)}`).join('');
    return `curl${verb} ${address} -H 'content-type: application/x-ndjson' --data-binary ${quote(lines)}`;
  }
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return `curl${verb} ${address} -H 'content-type: ${type}' -d ${quote(JSON.stringify(body))}`;
}

/** A word for a POSIX shell, of one or more lines. */
export function quote(text: string): string {
  const safe = text.split('\n').map(printable).join('\n');
  return /^[\w./:@%+,-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}
