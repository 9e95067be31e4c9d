import type { Finding } from './finding.ts';
import { serviceOf } from './lookup.ts';
import { parseName } from './names.ts';
import { patch, type Mend, type Proposal } from './mend.ts';

/** CAT4: the owner of the private service lists the project that needs it. */
export function mendConsent({ delta, says, once }: Proposal, { violation }: Finding): readonly Mend[] {
  const { imported = '', resource } = violation;
  const wanted = serviceOf(delta.after, imported);
  const parts = parseName(resource);
  const needy = parts?.kind === 'service' ? parts.id : (parts?.parent ?? '');
  const project = serviceOf(delta.after, needy)?.value.project;
  if (wanted === undefined || project === undefined || says(wanted.name)) return [];
  return once(`consent ${wanted.name} ${project}`, () =>
    patch(
      wanted.name,
      { importers: [...(wanted.value.importers ?? []), project].sort() },
      `Lets the services of projects/${project} import and use ${imported}; its owners decide that.`,
    ),
  );
}
