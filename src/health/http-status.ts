import { SERVICE_ID, type HttpCheck } from '../domain/instances/check.ts';
import { authority, type Aim } from './probe-attempt.ts';
import { critical, passing, plain, warning } from './probe-finding.ts';
import type { Finding } from './probe.ts';

const TOO_MANY_REQUESTS = 429;

/** What a status says by itself, which is all that counts; `undefined` when it is critical. */
export function judgeStatus(status: number, { expectedStatuses }: HttpCheck): Finding | undefined {
  const reason = `answered ${status}`;
  if (expectedStatuses !== undefined)
    return expectedStatuses.some((range) => includes(range, status)) ? passing(reason) : undefined;
  if (status === TOO_MANY_REQUESTS) return warning(reason);
  return status >= 200 && status <= 299 ? passing(reason) : undefined;
}

/** `204` or `200-299`. */
function includes(range: string, status: number): boolean {
  const [first = '', last = first] = range.split('-');
  return Number(first) <= status && status <= Number(last);
}

/** For a status that is critical: what was asked, and the beginning of what was said. */
export function badStatus(aim: Aim<HttpCheck>, status: number, location: string | undefined, body: string): Finding {
  const asked = `${question(aim)} answered ${status}`;
  if (status >= 300 && status <= 399 && location !== undefined)
    return critical(`${asked}: the redirect to ${plain(location, 100)} is not followed`);
  const said = plain(body, 100);
  return critical(said === '' ? asked : `${asked}: ${said}`);
}

export const question = ({ target, check, port }: Aim<HttpCheck>): string =>
  plain(
    `${check.method} ${check.tls ? 'https' : 'http'}://${authority(target.address, port)}${pathOf(target.service, check)}`,
    150,
  );

export const pathOf = (service: string, check: HttpCheck): string =>
  check.path.replaceAll(SERVICE_ID, () => encodeURIComponent(service));
