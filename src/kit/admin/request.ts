import type { IncomingHttpHeaders } from 'node:http';

/** A request to one of the kit's endpoints, whatever framework brought it. */
export interface AdminRequest {
  /** In capitals. */
  readonly method: string;
  /** Without the query, as it was sent: `/adm/logger/orders.db`. */
  readonly path: string;
  /** What the pattern of the endpoint names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /**
   * The body as JSON; undefined where there is none. It is not read before somebody asks, so nobody is made to read what the
   * guard refuses.
   * @throws BadBody where it is no JSON, or too long.
   */
  readonly body: () => Promise<unknown>;
  /** The address of who asks; behind a proxy, the proxy's. Empty where there is no socket. */
  readonly peer: string;
  /** The address that the listener which took the connection is bound to; undefined where that is not known. */
  readonly listener: string | undefined;
  /** SHA-256 of the certificate that was shown to who asks, 64 hexadecimal digits; undefined without TLS. */
  readonly certificate: string | undefined;
}

/** What one of the kit's endpoints answers, whatever framework sends it. */
export interface AdminAnswer {
  readonly status: number;
  /** A text is sent as text, anything else as JSON, or as problem+json from status 400 on. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What was done, for the audit: a few words, no secrets. */
  readonly did?: string;
  /** Called once the answer has been sent. */
  readonly after?: () => void;
}

/** An endpoint. An error that it throws is answered 500 and logged, a `BadBody` with its status. */
export type AdminHandler = (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>;

/** Its message is shown to who sent the body. */
export class BadBody extends Error {
  override readonly name = 'BadBody';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
