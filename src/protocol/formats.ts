import formats from 'ajv-formats';

const plugin = formats.default;

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const ipv4 = plugin.get('ipv4') as RegExp;
const ipv6 = plugin.get('ipv6') as RegExp;

/**
 * `host`, `host:port`, where the host is a DNS name in lower case, an IPv4 address, or an IPv6 address in brackets
 * (without a port the brackets may be left out). No scheme, no path, no trailing dot.
 */
export function isEndpoint(text: string): boolean {
  if (ipv6.test(text)) return true;
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([1-9][0-9]{0,4}))?$/.exec(text);
  if (match === null) return false;
  const [, address, host, port] = match;
  if (port !== undefined && Number(port) > 65_535) return false;
  return address === undefined ? isHost(host ?? '') : ipv6.test(address);
}

/** A DNS name in lower case, an IPv4 address, or an IPv6 address without brackets and zone. */
export const isHostAddress = (text: string): boolean => ipv6.test(text) || (text.length > 0 && isHost(text));

function isHost(host: string): boolean {
  if (host.length > 253) return false;
  const labels = host.split('.');
  // A name whose last label is a number is an address to every resolver, so it has to be a right one.
  if (/^[0-9]+$/.test(labels.at(-1) ?? '')) return ipv4.test(host);
  return labels.every((label) => LABEL.test(label));
}

/** The formats of resources and queries, for an AJV instance. */
export const addFormats = (ajv: Parameters<typeof plugin>[0]): void => {
  plugin(ajv, ['date', 'date-time']);
  ajv.addFormat('endpoint', isEndpoint);
  ajv.addFormat('host-address', isHostAddress);
};
