import { call } from '../support/signalbox.ts';

/** The value of a line of `/metrics`, named with its labels; 0 where it is not there. */
export async function metric(url: string, name: string): Promise<number> {
  const { body } = await call(url, 'GET', '/metrics');
  const line = String(body)
    .split('\n')
    .find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length) ?? 0);
}
