import type { Caller } from './command.ts';
import type { Touch } from './delta.ts';
import type { Refusal } from './errors.ts';
import { serviceOf } from './lookup.ts';
import type { Usage } from './usage.ts';
import type { Reader } from './view.ts';
import { EVERYTHING, projectKey, sees, type Sight } from './visibility.ts';

/** What a project may hold at most; what is left out is not limited. */
export interface ProjectLimits {
  readonly services?: number;
  readonly instances?: number;
}

const SETTINGS: Readonly<Record<keyof Usage, string>> = {
  services: 'PROJECT_MAX_SERVICES',
  instances: 'PROJECT_MAX_INSTANCES',
};

/**
 * Why a change is refused that lets a project hold more than it may. A project that is over a limit, because it was lowered
 * or an administrator went beyond it, keeps what it has and gets no more.
 */
export function overQuota(
  before: Reader,
  after: Reader,
  touches: Iterable<Touch>,
  limits: ProjectLimits | undefined,
  sight: Sight = EVERYTHING,
): Refusal | undefined {
  if (limits === undefined) return undefined;
  const judged = new Set<string>();
  for (const touch of touches) {
    if (touch.before !== undefined || touch.after === undefined) continue;
    const project = projectOf(after, touch.after);
    if (project === undefined || judged.has(project)) continue;
    judged.add(project);
    const refusal = judge(project, before.usage(project), after.usage(project), limits, sight);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Administrators decide on the limits, and Signalbox itself adds nothing that is counted. */
export const isHeldTo = ({ kind }: Caller): boolean => kind !== 'administrator' && kind !== 'signalbox';

function judge(project: string, before: Usage, after: Usage, limits: ProjectLimits, sight: Sight): Refusal | undefined {
  for (const what of ['services', 'instances'] as const) {
    const max = limits[what];
    if (max === undefined || after[what] <= max || after[what] <= before[what]) continue;
    const more = after[what] - before[what];
    // What is counted may be hidden from whoever is not of the project.
    if (!sees(sight, [[projectKey(project)]])) {
      const full = `projects/${project} may hold no more ${what} than ${max}, which is ${SETTINGS[what]}`;
      return { code: 'quota-exceeded', detail: full };
    }
    const detail = `projects/${project} has ${before[what]} ${what}, and with ${more} more it would hold more than ${max}, which is ${SETTINGS[what]}`;
    return { code: 'quota-exceeded', detail };
  }
  return undefined;
}

function projectOf(state: Reader, item: NonNullable<Touch['after']>): string | undefined {
  if (item.kind === 'service') return item.value.project;
  if (item.kind !== 'instance') return undefined;
  return serviceOf(state, item.value.service)?.value.project;
}
