import { authorize } from '../auth/authorize.ts';
import type { Grant } from '../auth/grant.ts';
import { knownCaller } from '../auth/known-callers.ts';
import { sightOf } from '../auth/sight.ts';
import type { Caller } from '../domain/command.ts';
import type { Gate, Standing } from '../feed/peer.ts';
import type { EdgeState } from './deps.ts';
import type { Access } from './identify.ts';

/** Of whom there is a grant, the identity says who they are; others stay what they were when they connected. */
type Granted = Standing & { readonly grant?: Grant };

export const standingOf = (caller: Caller, grant: Grant | undefined): Granted => ({
  caller,
  sight: sightOf(caller),
  ...(grant !== undefined && { grant }),
});

/** Looks at those who stay as at those who come: by the same table, and by what the catalog says now. */
export function gateOf({ tokens }: Pick<Access, 'tokens'>, state: Pick<EdgeState, 'view'>): Gate {
  const look = ({ caller, grant }: Granted): Standing | undefined => {
    const found = grant === undefined ? ({ ok: true, caller } as const) : knownCaller(grant.identity, state.view);
    if (!found.ok || !authorize(found.caller, 'feed.watch', undefined, state.view).allowed) return undefined;
    return standingOf(found.caller, grant);
  };
  return {
    look,
    admit: async (token) => {
      if (tokens === undefined) return 'no tokens are known here';
      const verified = await tokens.verify(token);
      if (!verified.ok) return verified.detail;
      const { grant } = verified;
      const found = knownCaller(grant.identity, state.view);
      return (found.ok ? look(standingOf(found.caller, grant)) : undefined) ?? 'its bearer may not watch';
    },
  };
}
