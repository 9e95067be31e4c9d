import { expect, test } from '@jest/globals';
import type { Identity } from '../../src/auth/identity.ts';
import { knownCaller } from '../../src/auth/known-callers.ts';
import { sightOf } from '../../src/auth/sight.ts';
import type { Caller, Edit } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import { View } from '../../src/domain/view.ts';
import { validateResource } from '../../src/protocol/validate.ts';

const ADMIN: Caller = { kind: 'administrator', subject: 'root' };
const ACCOUNT = 'projects/core/service-accounts/iam-bot';
const BOT: Identity = {
  subject: 'iam-bot',
  administrator: false,
  reader: false,
  owns: { apiIds: [], services: [], groups: [] },
};

let revision = 0;
function change(view: View, ...edits: Edit[]): void {
  const decision = decide(view, { caller: ADMIN, at: 0, edits }, ++revision, validateResource);
  if (!decision.ok) throw new Error(JSON.stringify(decision.refusal));
  view.fold(decision.changes);
}

const put = (name: string, value: object): Edit => ({ op: 'put', name, value });

function callerIn(view: View, identity = BOT): Caller {
  const found = knownCaller(identity, view);
  if (!found.ok) throw new Error(found.detail);
  return found.caller;
}

test('SEC1 an account is none as soon as it is deleted, and one as soon as it is made', () => {
  const view = new View();
  change(view, put('projects/core', { title: 'Core' }));
  expect(callerIn(view).kind).toBe('person');
  change(view, put(ACCOUNT, { subject: 'iam-bot' }));
  expect(callerIn(view)).toMatchObject({ kind: 'serviceAccount', account: ACCOUNT });
  change(view, put(ACCOUNT, { subject: 'somebody-else' }));
  expect(callerIn(view).kind).toBe('person');
  change(view, put(ACCOUNT, { subject: 'iam-bot' }));
  expect(callerIn(view).kind).toBe('serviceAccount');
  change(view, { op: 'delete', name: ACCOUNT });
  expect(callerIn(view).kind).toBe('person');
});

test('as long as no account changes a caller and its sight are the same objects', () => {
  const view = new View();
  change(view, put('projects/core', { title: 'Core' }), put(ACCOUNT, { subject: 'iam-bot' }));
  const caller = callerIn(view);
  change(view, put('regions/eu-west', { title: 'West' }));
  expect(callerIn(view)).toBe(caller);
  expect(sightOf(callerIn(view))).toBe(sightOf(caller));
});

test('another view is another catalog', () => {
  const view = new View();
  change(view, put('projects/core', { title: 'Core' }), put(ACCOUNT, { subject: 'iam-bot' }));
  expect(callerIn(view).kind).toBe('serviceAccount');
  expect(callerIn(new View()).kind).toBe('person');
  expect(callerIn(view).kind).toBe('serviceAccount');
});
