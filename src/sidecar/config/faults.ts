import { isLoopback } from '../loopback.ts';
import type { SidecarConfig } from './settings.ts';

/** What of settings that are right by themselves does not fit together. */
export function* faultsOf(config: SidecarConfig): Generator<string> {
  const { egressHost, egressAllowRemote, egressEnabled, ingressService, ingressHost, development, backend } = config;
  if (!egressEnabled && ingressService === undefined) {
    yield 'There is nothing to do: set ingress.service to register a backend, or egress.enabled to true to call services.';
  }
  if (egressEnabled && !isLoopback(egressHost) && !egressAllowRemote) {
    yield `egress.host must be a loopback address such as 127.0.0.1, not ${JSON.stringify(egressHost)}: who reaches it can call every service. Leave it out, or set egress.allowRemote to true.`;
  }
  if (development && !isLoopback(ingressHost)) {
    yield `admin.development must be false unless ingress.host is a loopback address, and it is ${JSON.stringify(ingressHost)}: everybody who reaches it could use the admin endpoints (SEC2). Name an issuer in admin.issuers.`;
  }
  yield* pair('egress', config.egressTlsCert, config.egressTlsKey);
  yield* pair('ingress', config.ingressTlsCert, config.ingressTlsKey);
  const twice = doubled(config.routes.map(({ prefix }) => prefix));
  if (twice !== undefined) yield `egress.routes has ${twice} twice: leave one of the two out.`;
  const { egressPort, ingressPort } = config;
  const listensThere = (port: number): boolean => port !== 0 && new URL(backend).port === String(port);
  if (ingressService !== undefined && isLoopback(new URL(backend).hostname)) {
    if (listensThere(ingressPort))
      yield 'ingress.backend must not be the ingress itself: the two need ports of their own.';
    if (egressEnabled && listensThere(egressPort))
      yield 'ingress.backend must not be the egress: requests would go in a circle.';
  }
}

function* pair(group: string, cert: string | undefined, key: string | undefined): Generator<string> {
  if ((cert === undefined) === (key === undefined)) return;
  const missing = cert === undefined ? 'tlsCert' : 'tlsKey';
  yield `${group}.${missing} must be set too: a certificate and its key belong together. Set both, or neither for plain text.`;
}

const doubled = (all: readonly string[]): string | undefined => all.find((one, at) => all.indexOf(one) !== at);
