import type { IncomingHttpHeaders } from 'node:http';

/** A request to an admin endpoint, as the kit's handlers take it. */
export interface AdminRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** The body as JSON; undefined where there is none. Rejects with an error that has a `status` where it is none, or too long. */
  readonly body: () => Promise<unknown>;
  readonly peer: string;
  /** The address that the listener is bound to. */
  readonly listener: string | undefined;
  readonly certificate: string | undefined;
}

export interface AdminAnswer {
  readonly status: number;
  /** A text is sent as text, anything else as JSON, or as problem+json from status 400 on. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly after?: () => void;
}

/** Who is let in to admin endpoints. The kit's guard is one. */
export interface AdminGuard {
  check(
    request: Pick<AdminRequest, 'headers' | 'listener'>,
  ): Promise<
    | { readonly type: 'allowed'; readonly subject: string }
    | { readonly type: 'refused'; readonly subject: string; readonly why: string; readonly answer: AdminAnswer }
  >;
}

/** The sidecar's own side of what it combines with the backend's. The kit's handlers are such. */
export interface OwnAdmin {
  serverInfo(request: AdminRequest): AdminAnswer | Promise<AdminAnswer>;
  listLoggers(request: AdminRequest): AdminAnswer | Promise<AdminAnswer>;
  setLoggers(request: AdminRequest): AdminAnswer | Promise<AdminAnswer>;
}
