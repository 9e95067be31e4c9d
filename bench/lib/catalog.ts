import { getJson } from './get-json.ts';

/** The catalog that the figures work on: every deployment is covered, so every write of one is accepted. */

const PROJECT = 'bench';
const ACCOUNT = `projects/${PROJECT}/service-accounts/loader`;

export const regionId = (n: number): string => `region-${String(n).padStart(2, '0')}`;
export const serviceId = (n: number): string => `service-${String(n).padStart(3, '0')}.bench.example.com`;
export const deploymentPath = (service: number, region: number): string =>
  `/v1/services/${serviceId(service)}/deployments/${regionId(region)}`;

/** `sequence` is what changes from write to write; it has always the same length. */
export const deploymentBody = (service: number, region: number, sequence: string): string =>
  JSON.stringify({
    regionalEndpoint: `${regionId(region)}.${serviceId(service)}`,
    currentVersion: 'v1',
    location: { continent: 'Europe', country: 'Germany', city: 'Frankfurt', cloud: 'bench' },
    labels: { team: 'bench', tier: 'gold', sequence },
  });

export const SEQUENCE_DIGITS = 9;
export const sequenceText = (n: number): string => String(n).padStart(SEQUENCE_DIGITS, '0');

/** NDJSON for `POST /v1/apply`: services with one version, each deployed in every region. */
export function manifest(services: number, regions: number): string {
  const documents: object[] = [{ name: `projects/${PROJECT}`, title: 'Benchmarks' }, { name: ACCOUNT }];
  for (let r = 0; r < regions; r++) documents.push({ name: `regions/${regionId(r)}`, title: `Region ${r}` });
  for (let s = 0; s < services; s++) {
    const id = serviceId(s);
    documents.push(
      {
        name: `services/${id}`,
        displayName: `Service ${s}`,
        project: PROJECT,
        creator: ACCOUNT,
        globalEndpoint: id,
        primaryRegion: regionId(0),
        labels: { team: 'bench' },
      },
      { name: `services/${id}/versions/v1` },
    );
    for (let r = 0; r < regions; r++) {
      const body = JSON.parse(deploymentBody(s, r, sequenceText(0))) as object;
      documents.push({ name: `services/${id}/deployments/${regionId(r)}`, ...body });
    }
  }
  return documents.map((document) => `${JSON.stringify(document)}\n`).join('');
}

export async function apply(port: number, ndjson: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/apply`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: ndjson,
    signal: AbortSignal.timeout(120_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`apply answered ${response.status}: ${text.slice(0, 2000)}`);
}

export interface Position {
  readonly epoch: string;
  readonly revision: number;
}

export const head = (port: number): Promise<Position> => getJson(port, '/v1/state');
