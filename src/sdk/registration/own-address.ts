import { createSocket } from 'node:dgram';
import { lookup as lookUp } from 'node:dns/promises';
import { SignalboxError } from '../errors.ts';
import { rootOf } from './message-of.ts';

const TIMEOUT_MS = 1000;
const LOOPBACK = '127.0.0.1';

type Env = Readonly<Record<string, string | undefined>>;

/** What is asked for the address of a name. */
export type Lookup = (host: string) => Promise<{ readonly address: string; readonly family: number }>;

/** The address that whoever runs this process says it has. */
export const toldAddress = (env: Env): string | undefined => env['POD_IP'] || env['STATUS_HOST_IP'] || undefined;

/**
 * The address that others reach this machine at, as well as can be told from here. `url` is an address of Signalbox. It is loopback
 * only where Signalbox is: who is told of any other one would call itself.
 * @throws SignalboxError `unreachable` where there is no route, or none yet; it may be found later.
 */
export async function ownAddress(env: Env, url: string, lookup: Lookup = (host) => lookUp(host)): Promise<string> {
  const told = toldAddress(env);
  if (told !== undefined) return told;
  const { hostname, port, protocol } = new URL(url);
  try {
    const { address, family } = await lookup(hostname.replace(/^\[|\]$/g, ''));
    if (isLoopback(address)) return LOOPBACK;
    return await routeTo(address, family, Number(port) || (protocol === 'https:' ? 443 : 80));
  } catch (error) {
    const why = `Where others reach this process is not known: no route to ${hostname} was found (${rootOf(error)}).`;
    throw new SignalboxError('unreachable', `${why} Give its address, or set POD_IP.`, { cause: error });
  }
}

const isLoopback = (address: string): boolean => address === '::1' || /^(?:::ffff:)?127\./i.test(address);

/** The address that packets would leave from. Connecting a UDP socket looks up the route and sends nothing. */
function routeTo(address: string, family: number, port: number): Promise<string> {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('timeout')), TIMEOUT_MS);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      settle();
    };
    socket.on('error', (error) => end(() => reject(error)));
    // Without a callback, what goes wrong is an event.
    socket.on('connect', () => {
      const own = socket.address().address.replace(/^::ffff:/i, '');
      // A link-local address means nothing without its interface.
      end(() => (/^fe80:/i.test(own) ? reject(new Error(`${own} is link-local`)) : resolve(own)));
    });
    socket.connect(port, address);
  }).finally(() => socket.close());
}
