import type { CatalogCommand, Decision, Edit, Validate } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import type { Fix, Violation } from '../../src/domain/errors.ts';
import { View } from '../../src/domain/view.ts';
import { Draft } from '../../src/domain/draft.ts';
import type { Reader } from '../../src/domain/view.ts';

/** Schemas are the protocol's business; these tests bring documents of the right shape. */
export const validate: Validate = () => [];

export const ADMIN = { kind: 'administrator', subject: 'test' } as const;
export const ACCOUNT = 'projects/core/service-accounts/deployer';
export const AT = Date.UTC(2026, 0, 15);

export type Document = { name: string } & Record<string, unknown>;

export const commandOf = (edits: readonly Edit[], more: Partial<CatalogCommand> = {}): CatalogCommand => ({
  caller: ADMIN,
  at: AT,
  edits,
  ...more,
});

export const put = ({ name, ...value }: Document): Edit => ({ op: 'put', name, value });
export const patch = (name: string, change: unknown): Edit => ({ op: 'patch', name, patch: change });
export const remove = (name: string): Edit => ({ op: 'delete', name });

export const region = (id: string): Document => ({ name: `regions/${id}`, title: id });
export const service = (id: string, more: object = {}): Document => ({
  name: `services/${id}`,
  displayName: id,
  creator: ACCOUNT,
  globalEndpoint: `${id}.apis.test`,
  primaryRegion: 'us',
  ...more,
});
export const version = (of: string, id: string, imports: Record<string, string> = {}, more: object = {}): Document => ({
  name: `services/${of}/versions/${id}`,
  imports: Object.entries(imports).map(([imported, v]) => ({ service: imported, version: v })),
  ...more,
});
export const deployment = (of: string, at: string, currentVersion = 'v1', more: object = {}): Document => ({
  name: `services/${of}/deployments/${at}`,
  regionalEndpoint: `${at}.${of}.apis.test`,
  currentVersion,
  ...more,
});
export const bundle = (id: string, members: string[], rules: object = {}, more: object = {}): Document => ({
  name: `bundles/${id}`,
  members,
  rules,
  ...more,
});

/** Regions us and eu, a project with its account. */
export const GROUND: readonly Document[] = [
  region('us'),
  region('eu'),
  { name: 'projects/core', title: 'Core' },
  { name: ACCOUNT },
];

/** A catalog that takes commands. */
export class World {
  readonly view = new View();
  revision = 0;

  /** Of documents with the same name the last one counts. */
  constructor(documents: readonly Document[] = GROUND) {
    const last = new Map(documents.map((document) => [document.name, document]));
    this.must(Array.from(last.values(), put));
  }

  try(edits: readonly Edit[], more: Partial<CatalogCommand> = {}): Decision {
    return decide(this.view, commandOf(edits, more), this.revision + 1, validate);
  }

  run(edits: readonly Edit[], more: Partial<CatalogCommand> = {}): Decision {
    const decision = this.try(edits, more);
    if (decision.ok && decision.changes.length > 0) {
      this.revision++;
      this.view.fold(decision.changes);
    }
    return decision;
  }

  must(edits: readonly Edit[], more: Partial<CatalogCommand> = {}): Extract<Decision, { ok: true }> {
    const decision = this.run(edits, more);
    if (!decision.ok) throw new Error(JSON.stringify(decision.refusal, null, 1));
    return decision;
  }

  value(name: string): Record<string, unknown> {
    return this.view.get(name)?.value as unknown as Record<string, unknown>;
  }

  violations(edits: readonly Edit[], more: Partial<CatalogCommand> = {}): readonly Violation[] {
    return violationsIn(this.try(edits, more));
  }
}

export function violationsIn(decision: Decision): readonly Violation[] {
  if (decision.ok) return [];
  if (decision.refusal.code !== 'conflict') throw new Error(JSON.stringify(decision.refusal));
  return decision.refusal.violations;
}

/** The edits that a fix asks for. */
export function editsOf(fix: Fix): Edit[] {
  if (fix.path === '/v1/apply') return (fix.body as Document[]).map(put);
  const name = fix.path.slice('/v1/'.length);
  if (fix.method === 'PUT') return [{ op: 'put', name, value: fix.body }];
  return fix.method === 'PATCH' ? [{ op: 'patch', name, patch: fix.body }] : [{ op: 'delete', name }];
}

/** What a fix names. */
export const namesIn = (violation: Violation | undefined): string[] =>
  violation?.fix === undefined ? [] : editsOf(violation.fix).map(({ name }) => name);

/** Sends fixes, one after the other; each has to be accepted. */
export function applyFixes(draft: Draft, revision: number, fixes: readonly Fix[]): void {
  let next = revision;
  for (const fix of fixes) {
    const decision = decide(draft, commandOf(editsOf(fix)), ++next, validate);
    if (!decision.ok)
      throw new Error(`the fix is refused: ${JSON.stringify(fix)}: ${JSON.stringify(decision.refusal)}`);
    draft.absorb(decision.changes);
  }
}

/** What becomes of a command once some fixes have been applied. */
export function afterFixes(state: Reader, revision: number, fixes: readonly Fix[], command: CatalogCommand): Decision {
  const draft = new Draft(state);
  applyFixes(draft, revision, fixes);
  return decide(draft, command, revision + fixes.length + 1, validate);
}

/** A violation without its fix and without its words. */
export const keyOf = ({
  code,
  rule,
  resource,
  importer,
  importerVersion,
  imported,
  importedVersion,
  region: at,
}: Violation): string => [code, rule, resource, importer, importerVersion, imported, importedVersion, at].join(' ');
