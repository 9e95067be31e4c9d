import { deploymentBody, manifest, regionId, sequenceText, serviceId } from './catalog.ts';
import type { Caller, Command, Decision } from '../../src/domain/command.ts';
import { decide } from '../../src/domain/decide.ts';
import type { Entry } from '../../src/domain/item.ts';
import { View } from '../../src/domain/view.ts';
import { validateResource } from '../../src/protocol/validate.ts';

/** A catalog without a database, for the figures of single steps. */

export const SERVICES = 64;
export const REGIONS = 32;
const caller: Caller = { kind: 'administrator', subject: 'bench' };

export function loaded(): View {
  const documents = manifest(SERVICES, REGIONS).trim().split('\n');
  const edits = documents.map((line) => {
    const { name, ...value } = JSON.parse(line) as { name: string };
    const isService = /^services\/[^/]+$/.test(name);
    return { op: 'put' as const, name, value: isService ? { ...value, public: true } : value };
  });
  const view = new View();
  view.fold(accepted(decide(view, { caller, at: 0, edits }, 1, validateResource)).changes);
  return view;
}

export function accepted(decision: Decision): Extract<Decision, { ok: true }> {
  if (!decision.ok) throw new Error(`refused: ${JSON.stringify(decision.refusal)}`);
  return decision;
}

/** PUTs of the deployments of so many services in turn, with a content never seen. */
export function commands(services = SERVICES): () => Command {
  const values = Array.from({ length: services * REGIONS }, (_, n) => {
    const service = n % services;
    const region = Math.floor(n / services);
    const value = JSON.parse(deploymentBody(service, region, sequenceText(0))) as { labels: Record<string, string> };
    return { name: `services/${serviceId(service)}/deployments/${regionId(region)}`, value };
  });
  let count = 0;
  return () => {
    count += 1;
    const { name, value } = values[count % values.length] ?? fail();
    const edit = {
      op: 'put' as const,
      name,
      value: { ...value, labels: { ...value.labels, sequence: sequenceText(count) } },
    };
    return { caller, at: count, edits: [edit] };
  };
}

/** Entries that go on with the view for ever: the decisions are made beforehand. */
export function entries(view: View, services?: number): () => Entry {
  const next = commands(services);
  const made = Array.from({ length: 4096 }, () => accepted(decide(view, next(), 2, validateResource)).changes);
  let revision = 1;
  return () => {
    revision += 1;
    return { revision, at: revision, author: 'bench', changes: made[revision % made.length] ?? fail() };
  };
}

function fail(): never {
  throw new Error('there is nothing here');
}
