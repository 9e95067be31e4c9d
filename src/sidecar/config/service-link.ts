const NAMES = /_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?$/;

/**
 * Kubernetes tells each pod of the services in its namespace by variables with the names of these, as Docker's links did: of one named
 * `sidecar`, or `sidecar-metrics`, they begin as the settings do. `SIDECAR_METRICS_PORT` is a setting too, but never `tcp://...`.
 */
export const isServiceLink = (name: string, value = ''): boolean =>
  NAMES.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));
