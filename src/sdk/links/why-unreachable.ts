/** An error and what caused it; what is thrown by the network need not be of this realm's `Error`. */
function* causes(error: unknown): Generator<{ readonly code?: unknown; readonly message?: unknown }> {
  for (let e = error; typeof e === 'object' && e !== null; e = (e as { cause?: unknown }).cause) yield e;
}

export function codeOf(error: unknown): string | undefined {
  for (const { code } of causes(error)) if (typeof code === 'string') return code;
  return undefined;
}

/** One sentence on a failed connection that says what to do; `orElse` is what else, to end it with. */
export function whyUnreachable(url: string, error: unknown, orElse?: string): string {
  const sentence = whyAndWhatToDo(url, error);
  return orElse === undefined ? `${sentence}.` : `${sentence}, ${orElse}.`;
}

function whyAndWhatToDo(url: string, error: unknown): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `Nothing listens at ${url}: start Signalbox (\`signalbox start\`)`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The name in ${url} is not known to DNS: check the address`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `The certificate of ${url} is of an authority that is not known here: name the file with that authority in NODE_EXTRA_CA_CERTS`;
    case 'CERT_HAS_EXPIRED':
      return `The certificate of ${url} has expired: have it renewed`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `The certificate of ${url} is for another name: use the name that it is for`;
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return `${url} closed the connection before it answered: check that Signalbox runs there`;
    default: {
      const root = [...causes(error)].at(-1)?.message;
      return `${url} cannot be reached (${typeof root === 'string' ? root : String(error)}): check the address`;
    }
  }
}
