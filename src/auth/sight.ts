import type { Caller, Owned } from '../domain/command.ts';
import { parseName } from '../domain/names.ts';
import {
  apiKey,
  EVERYTHING,
  groupKey,
  projectKey,
  serviceKey,
  sightOf as sightOfKeys,
  type Sight,
} from '../domain/visibility.ts';

const BY_CALLER = new WeakMap<Caller, Sight>();
const SIGHTS = new WeakMap<Owned, Map<string, Sight>>();

/** What a caller may see (SEC3). What a token owns is one object as long as the token is remembered, and so is its sight. */
export function sightOf(caller: Caller): Sight {
  let sight = BY_CALLER.get(caller);
  if (sight === undefined) BY_CALLER.set(caller, (sight = makeSight(caller)));
  return sight;
}

function makeSight(caller: Caller): Sight {
  switch (caller.kind) {
    case 'administrator':
    case 'signalbox':
      return EVERYTHING;
    case 'registrar':
      return sightOfKeys([serviceKey(caller.service)]);
    case 'serviceAccount':
      return remembered(caller.owns ?? NOTHING, parseName(caller.account)?.parent);
    case 'person':
      return remembered(caller.owns, undefined);
  }
}

const NOTHING: Owned = { apiIds: [], services: [], groups: [] };

function remembered(owns: Owned, project: string | undefined): Sight {
  let sights = SIGHTS.get(owns);
  if (sights === undefined) SIGHTS.set(owns, (sights = new Map()));
  let sight = sights.get(project ?? '');
  if (sight === undefined) {
    const { apiIds, services, groups } = owns;
    const own = [...apiIds.map(apiKey), ...services.map(serviceKey), ...groups.map(groupKey)];
    sight = sightOfKeys(project === undefined ? own : [projectKey(project), ...own]);
    sights.set(project ?? '', sight);
  }
  return sight;
}
