import { BACKOFF, type Backoff } from '../connection/backoff.ts';
import type { SignalboxError } from '../errors.ts';
import type { ClientLog, ConnectOptions } from '../options.ts';
import type { Time } from '../time.ts';
import type { Attachment } from './desk.ts';
import { eitherDesk } from './either-desk.ts';
import { HttpDesk } from './http-desk.ts';
import { ownAddress } from './own-address.ts';
import { createRegistrar, type Registrar } from './registrar.ts';
import { SocketDesk, type AskSocket } from './socket-desk.ts';

/** What registration needs of a client. */
export interface NodeRegistrarDeps {
  /** Over the link that is open. */
  readonly requests: AskSocket;
  readonly attachment: Attachment;
  /** Keeps the connection open although nothing may be watched; answers how to let go of it. */
  hold(): () => void;
  /** The server that is connected to, or was last, for requests by HTTP; without a slash at its end. */
  url(): string;
  /** All that the client was told, for when that one does not answer. */
  readonly urls: readonly string[];
  /** `anew`: the last one was not taken. */
  readonly tokens: { get(anew: boolean): Promise<string | undefined> };
  readonly options: Pick<ConnectOptions, 'environment' | 'backoff'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly time: Time;
  readonly random: () => number;
  readonly log: ClientLog;
  readonly onError: (error: SignalboxError) => void;
}

/** Registration for a client in Node: over its socket, else by HTTP. */
export function nodeRegistrar(deps: NodeRegistrarDeps): Registrar {
  const { requests, attachment, tokens, options, env, time, random, log, onError } = deps;
  const http = new HttpDesk({
    get urls() {
      const connected = deps.url();
      return [connected, ...deps.urls.filter((url) => url !== connected)];
    },
    token: (_url, refused) => tokens.get(refused !== undefined),
    now: () => time.now(),
  });
  const { environment, backoff } = options;
  return createRegistrar({
    desk: eitherDesk({ socket: new SocketDesk(requests, time), http, attachment }),
    attachment,
    ownAddress: () => ownAddress(env, deps.url()),
    hold: () => deps.hold(),
    environment,
    ...(backoff && { backoff: whole(backoff) }),
    log,
    onError,
    time,
    random,
  });
}

const whole = ({ baseMs = BACKOFF.baseMs, maxMs = BACKOFF.maxMs }: Partial<Backoff>): Backoff => ({ baseMs, maxMs });
