/** A way to carry frames: a WebSocket; an event stream for each watch; long polls. */
export type CarrierName = 'websocket' | 'event-stream' | 'long-poll';

/** An access token for Signalbox, or how to get one. It is asked for at every connection, and before the old one ends. */
export type Auth =
  | { readonly token: string | (() => string | undefined | Promise<string | undefined>) }
  /** A file that somebody keeps current, such as a mounted secret. */
  | { readonly tokenFile: string }
  /** OAuth 2.0 client credentials; the token is kept until it has a tenth of its time left. */
  | {
      readonly clientCredentials: {
        readonly tokenUrl: string;
        readonly clientId: string;
        readonly clientSecret: string;
        readonly scope?: string;
        readonly audience?: string;
      };
    };

/** What goes wrong beside what is thrown is said to it; a pino logger fits. */
export interface ClientLog {
  debug(about: object, message: string): void;
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
  error(about: object, message: string): void;
}

/** How to reach Signalbox, and what to do while it cannot be reached. */
export interface ConnectOptions {
  /** Where Signalbox is, such as `https://signalbox.example.com`; not together with `urls`. Default: `SIGNALBOX_URL`, or `http://127.0.0.1:4400`. */
  readonly url?: string;
  /** Several nodes; tried in an order of the client's own, the next one after each failure. Default: `url` alone. */
  readonly urls?: readonly string[];
  /** Default: `SIGNALBOX_TOKEN` where it is set. A token goes to `https` and to this machine alone, unless `allowHttp`. */
  readonly auth?: Auth;
  /** Whether the network keeps tokens safe without TLS. Default: `SIGNALBOX_ALLOW_HTTP=1`, else false. */
  readonly allowHttp?: boolean;
  /** Ways to connect, the best first; the next one is tried where one cannot be had. Default: WebSocket, event stream, long poll. */
  readonly carriers?: readonly CarrierName[];
  /** Full jitter: a random time up to `baseMs` doubled with each failure, at most `maxMs`. Default: 250 and 5000. */
  readonly backoff?: { readonly baseMs?: number; readonly maxMs?: number };
  /** Milliseconds that a connection may take to open. Default: 10000. */
  readonly openTimeoutMs?: number;
  /**
   * A directory for copies, so that a client starts and calls while Signalbox is away. Each is shown again to the same caller alone:
   * the same issuer and subject of a JWT, or the same `tokenUrl` and `clientId`. Who is known by a token that says nothing (one that is
   * no JWT, or has no `iss` and `sub`) loses the copies when the token changes. Where `auth` has no token to give at the start, it is not
   * known whose copies to show, and none are; client credentials need none for that. `close` has to be waited for, since it writes what is new. Default: nothing is kept. Node only.
   */
  readonly directory?: string;
  /**
   * Milliseconds: services whose list is older are not called; `pick`, `instances` and `fetch` throw `stale`. A watch shows what it
   * holds however old that is, with its `age`. Default: Infinity.
   */
  readonly maxAge?: number;
  /**
   * The environment of services that are called and registered without one of their own. Default: none; instances of every
   * environment are called then, and what is registered names none.
   */
  readonly environment?: string;
  /** The region that this process runs in, for services that prefer near instances. Default: `SIGNALBOX_REGION`. */
  readonly region?: string;
  /** Its zone within that region, as instances carry it in the tag `zone`. Default: `SIGNALBOX_ZONE`. */
  readonly zone?: string;
  /**
   * Services whose instances are written down here, by id, in place of those that Signalbox knows; it is not asked for them. One URL,
   * several, or several with commas between them. Default: `ORDERS_EXAMPLE_COM_URL` or `ORDERS_URL` for `orders.example.com`.
   */
  readonly overrides?: Readonly<Record<string, string | readonly string[]>>;
  /** Default: nothing is logged. */
  readonly log?: ClientLog;
}
