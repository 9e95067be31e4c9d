import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';

const TIMEOUT_MS = 1000;
const LOOPBACK = '127.0.0.1';

/** The address that others reach this machine at, as well as can be told from here. `url` is an address of Signalbox. */
export async function ownAddress(env: Readonly<Record<string, string | undefined>>, url: string): Promise<string> {
  const told = env['POD_IP'] || env['STATUS_HOST_IP'];
  if (told !== undefined && told !== '') return told;
  return (await routeTo(url)) ?? LOOPBACK;
}

/** The address that packets to the server would leave from. Connecting a UDP socket looks up the route and sends nothing. */
function routeTo(url: string): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    let ended = false;
    const end = (address: string | undefined): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      socket.close();
      resolve(address);
    };
    const timer = setTimeout(() => end(undefined), TIMEOUT_MS);
    socket.on('error', () => end(undefined));
    // Without a callback, what goes wrong is an event.
    socket.on('connect', () => end(usable(socket.address().address)));
    socket.connect(Number(port) || (protocol === 'https:' ? 443 : 80), host);
  });
}

function usable(address: string): string | undefined {
  // A link-local address means nothing without its interface, and ::1 is not where most programs listen.
  if (/^fe80:/i.test(address) || address === '::1') return undefined;
  return address.replace(/^::ffff:/i, '');
}
