import type { AuditEntry } from './audit.ts';
import type { Caller, Command, Outcome } from './command.ts';
import type { AnyItem } from './item.ts';
import { parseName } from './names.ts';

/**
 * What the audit says of an accepted command: an entry for every resource that it created, updated or deleted, also
 * for those that only followed from others (SEC5). What Signalbox does by itself, which is what health checks find, is
 * nobody's act and stands in the revision log alone.
 */
export function auditOf(command: Command, outcomes: readonly Outcome[], revision: number): AuditEntry[] {
  const { caller, at, origin } = command;
  if (caller.kind === 'signalbox') return [];
  const who = whoIs(caller);
  const entries: AuditEntry[] = [];
  for (const { name, op, before, after } of outcomes) {
    if (op === 'unchanged') continue;
    const item = after ?? before;
    const service = item && serviceOfItem(item);
    entries.push({
      at,
      category: 'change',
      ...who,
      action: actionOf(command, op),
      target: name,
      ...(service !== undefined && { service }),
      ...(before !== undefined && { before: before.revision }),
      after: revision,
      result: op,
      ...origin,
    });
  }
  return entries;
}

/** A caller as the audit names them. */
export function whoIs(caller: Caller): Pick<AuditEntry, 'subject' | 'account' | 'project'> {
  const { subject } = caller;
  if (caller.kind !== 'serviceAccount') return { subject };
  const project = parseName(caller.account)?.parent;
  return { subject, account: caller.account, ...(project !== undefined && { project }) };
}

function actionOf(command: Command, op: Outcome['op']): string {
  if (!('instances' in command)) return op === 'deleted' ? 'catalog.delete' : 'catalog.write';
  return command.instances[0]?.op === 'override' ? 'instance.override' : 'instance.register';
}

function serviceOfItem(item: AnyItem): string | undefined {
  switch (item.kind) {
    case 'service':
      return item.id;
    case 'version':
    case 'resourceType':
    case 'deployment':
      return item.parent;
    case 'instance':
    case 'override':
    case 'advisory':
      return item.value.service;
    default:
      return undefined;
  }
}
