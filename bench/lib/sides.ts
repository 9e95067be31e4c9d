import { IssuerServer } from '../../test/auth/issuer-server.ts';
import type { Bench, Server } from './bench.ts';
import { regionId, sequenceText } from './catalog.ts';
import { driveAll } from './drive-all.ts';
import { bearing, requestBytes } from './http-load.ts';
import { PER_SERVICE, registerRequest, runtimeServiceId } from './instances.ts';

/** What access is measured with: two nodes with the same catalog, one in development mode and one with an issuer. */

export const PROJECTS = 20;
/** The first half is private, the n-th of project n; the other half is public. */
export const SERVICES = 2 * PROJECTS;
/** The project whose service account asks. */
const CLASSES = ['RENEW', 'RESUME', 'READ', 'LIST', 'WRITE', 'UNKNOWN'];
const ASKING = 3;
const TOKEN_S = 7200;

export type Who = 'an administrator' | 'a service account' | 'a reader';

export interface Side {
  readonly name: 'off' | 'on';
  readonly server: Server;
  /** What a caller brings; `n` counts projects. Nothing where access is off. */
  token(who: Who, n?: number): string | undefined;
}

/** The services that a caller sees, private ones and public ones by turns where it sees both. */
export function servicesSeenBy(who: Who, project = ASKING): number[] {
  const all = Array.from({ length: PROJECTS }, (_, n) => [n, PROJECTS + n] as const);
  if (who === 'an administrator') return all.flat();
  return all.flatMap(([, open]) => (who === 'a reader' ? [open] : [project, open]));
}

/** The services whose instances a caller renews: a service account those of its project. */
export const servicesOf = (who: Who): number[] =>
  who === 'an administrator' ? servicesSeenBy(who) : [ASKING, PROJECTS + ASKING];

/** Private services are deployed in the region of their project, public ones in one of their own. */
export const regionOf = (service: number): string => regionId(Math.min(service, PROJECTS));

export const deploymentPathOf = (service: number): string =>
  `/v1/services/${runtimeServiceId(service)}/deployments/${regionOf(service)}`;

export const deploymentOf = (service: number, sequence: number): string =>
  JSON.stringify({
    regionalEndpoint: `${regionOf(service)}.${runtimeServiceId(service)}`,
    currentVersion: 'v1',
    location: { continent: 'Europe', country: 'Germany', city: 'Frankfurt', cloud: 'bench' },
    labels: { team: 'bench', tier: 'gold', sequence: sequenceText(sequence) },
  });

export const headOf = async ({ server, token }: Side): Promise<{ readonly revision: number }> => {
  const bearer = token('an administrator');
  const response = await fetch(`http://127.0.0.1:${server.port}/v1/state`, {
    headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`/v1/state answered ${response.status}`);
  return (await response.json()) as { revision: number };
};

/** Off and on. The issuer is in this process; end it when all is done. */
export async function startSides(bench: Bench): Promise<{ sides: [Side, Side]; end: () => Promise<unknown> }> {
  const issuer = await IssuerServer.open();
  const tokens = new Map<string, string>();
  const mint = async (who: Who, n: number, claims: object): Promise<void> => {
    tokens.set(`${who} ${n}`, await issuer.mint({ ...claims }, { expiresIn: TOKEN_S }));
  };
  await mint('an administrator', ASKING, { sub: 'ada', groups: ['platform'] });
  await mint('a reader', ASKING, { sub: 'rita', groups: ['staff'] });
  for (let n = 0; n < PROJECTS; n++) await mint('a service account', n, { sub: subjectOf(n) });

  const settings = JSON.stringify([issuer.settings({ admins: ['platform'], readers: ['staff'] })]);
  const off = await bench.signalbox(await bench.database());
  // One caller asks for as much as thousands do: it is counted, and not turned away.
  const rates = Object.fromEntries(CLASSES.map((name) => [`RATE_LIMIT_${name}`, '1000000/s']));
  const on = await bench.signalbox(await bench.database(), undefined, {
    OIDC_ISSUERS: settings,
    OVERLOAD_LAG: 'off',
    ...rates,
  });
  const sides: [Side, Side] = [
    { name: 'off', server: off, token: () => undefined },
    {
      name: 'on',
      server: on,
      token: (who, n = ASKING) => tokens.get(`${who} ${n}`) ?? fail(`no token of ${who} ${n}`),
    },
  ];
  for (const side of sides) await prepare(side);
  return { sides, end: () => issuer.close() };
}

async function prepare({ server: { port }, token }: Side): Promise<void> {
  const bearer = token('an administrator');
  const apply = bearing(bearer, requestBytes('POST', '/v1/apply', manifest(), 'application/x-ndjson'));
  await driveAll({ port, connections: 1, count: 1, next: () => apply });
  const count = SERVICES * PER_SERVICE;
  await driveAll({ port, connections: 16, count, next: (n) => bearing(bearer, registerRequest(n)) });
}

const projectId = (n: number): string => `project-${String(n).padStart(2, '0')}`;
const subjectOf = (n: number): string => `loader-${String(n).padStart(2, '0')}`;

function manifest(): string {
  const documents: object[] = [];
  for (let r = 0; r <= PROJECTS; r++) documents.push({ name: `regions/${regionId(r)}`, title: `Region ${r}` });
  for (let n = 0; n < PROJECTS; n++) {
    documents.push({ name: `projects/${projectId(n)}`, title: `Project ${n}` });
    documents.push({ name: accountOf(n), subject: subjectOf(n) });
  }
  for (let s = 0; s < SERVICES; s++) {
    const service = `services/${runtimeServiceId(s)}`;
    documents.push({
      name: service,
      displayName: `Service ${s}`,
      project: projectId(s % PROJECTS),
      creator: accountOf(s % PROJECTS),
      globalEndpoint: runtimeServiceId(s),
      primaryRegion: regionOf(s),
      public: s >= PROJECTS,
      labels: { team: 'bench' },
    });
    documents.push({ name: `${service}/versions/v1` });
    documents.push({
      name: `${service}/deployments/${regionOf(s)}`,
      ...(JSON.parse(deploymentOf(s, 0)) as object),
    });
  }
  return documents.map((document) => `${JSON.stringify(document)}\n`).join('');
}

const accountOf = (n: number): string => `projects/${projectId(n)}/service-accounts/${subjectOf(n)}`;

function fail(message: string): never {
  throw new Error(message);
}
