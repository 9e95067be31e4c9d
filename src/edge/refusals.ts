import type { FastifyRequest } from 'fastify';
import { STRANGER } from '../auth/caller.ts';
import { find } from '../auth/target.ts';
import type { AuditEntry } from '../domain/audit.ts';
import { whoIs } from '../domain/audit-changes.ts';
import { parseName, serviceName } from '../domain/names.ts';
import type { Reader } from '../domain/view.ts';
import { EVERYTHING } from '../domain/visibility.ts';
import type { Problem } from '../protocol/problem.ts';
import { originOf } from './origin.ts';
import { targetOf } from './target-of.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The service that the body is about, where the path does not say it; from whoever has read the body. */
    bodyService: string | undefined;
  }
}

/** Who may not is told of whatever they asked for; what breaks a rule, where it would have changed something. */
const NOT_ALLOWED: ReadonlySet<number> = new Set([401, 403]);
const AGAINST_RULES: ReadonlySet<number> = new Set([404, 409, 412, 422]);

/** What the audit says of a request that was refused; `undefined` when it says nothing. */
export function refusalOf(
  request: FastifyRequest,
  { code, status, details }: Problem,
  state: Reader,
): Omit<AuditEntry, 'at'> | undefined {
  // What cannot be read as a request has never come to its admission, and asks for nothing.
  if (request.caller === undefined) return undefined;
  if (!NOT_ALLOWED.has(status) && !(AGAINST_RULES.has(status) && isMutation(request))) return undefined;
  const { target, service } = aboutOf(request, state);
  return {
    category: 'refusal',
    ...callerOf(request),
    // Where there is no route, only the documentation was asked for.
    action: request.routeOptions.config?.action ?? 'docs.read',
    ...(target !== undefined && { target }),
    ...(service !== undefined && { service }),
    result: code,
    ...originOf(request),
    // What a change would break may be what the owners of its target may not see.
    ...(code !== 'conflict' && { detail: details.detail }),
  };
}

/** A renewal changes nothing that the log knows of, and a dry run changes nothing at all. */
function isMutation({ method, query, routeOptions }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD' || routeOptions.config?.action === undefined) return false;
  if (routeOptions.url?.endsWith('/renew') === true) return false;
  return (query as { readonly dryRun?: unknown } | undefined)?.dryRun !== true;
}

/** A token is known before it is known whose account it is. */
function callerOf({ caller, grant }: FastifyRequest): Pick<AuditEntry, 'subject' | 'account' | 'project'> {
  return caller === STRANGER && grant !== undefined ? { subject: grant.identity.subject } : whoIs(caller);
}

function aboutOf(request: FastifyRequest, state: Reader): { target?: string; service?: string } {
  const params = (request.params ?? {}) as Readonly<Record<string, string>>;
  const named = targetOf(request.routeOptions.url ?? '')(params)?.name ?? '';
  const above = serviceName(params['service'] ?? request.bodyService ?? '');
  const target = [named, above].find((name) => parseName(name) !== undefined);
  if (target === undefined) return {};
  // The entry is for those who own it, whether or not the one who was refused may see it.
  const service = find({ name: target }, EVERYTHING, state)?.service;
  // The service that an instance would be of is not what would have been changed.
  return { ...(target === named || 'service' in params ? { target } : {}), ...(service !== undefined && { service }) };
}
