import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Interaction, Provider } from 'oidc-provider';
import { pageHeaders } from '../html.ts';
import { configuration, personOf } from './configuration.ts';
import { consentPage, faultPage, loginPage } from './pages.ts';
import { MOUNT } from './people.ts';
import type { Secrets } from './secrets.ts';

export interface EmbeddedDeps {
  /** Where the server is; the provider is below it. */
  readonly origin: string;
  readonly secrets: Secrets;
  /** Whether people have to show the password. */
  readonly askPassword: boolean;
  readonly log: { debug(message: string): void; error(fields: object, message: string): void };
}

const MAX_FORM_BYTES = 4096;

/**
 * The OpenID provider of development mode. What it remembers, it remembers in memory: its restart ends its sessions and
 * refresh tokens, and its keys stay.
 */
export class EmbeddedProvider {
  readonly #provider: Provider;
  readonly #answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly #deps: EmbeddedDeps;

  private constructor(provider: Provider, deps: EmbeddedDeps) {
    this.#provider = provider;
    this.#answer = provider.callback();
    this.#deps = deps;
  }

  static async open(deps: EmbeddedDeps): Promise<EmbeddedProvider> {
    const { origin, secrets, log } = deps;
    const provider = await quietly(log, async () => {
      const library = await import('oidc-provider');
      return new library.Provider(origin + MOUNT, configuration(origin, secrets));
    });
    provider.on('server_error', (_context: never, error: never) => {
      log.error({ err: error }, 'the development provider failed');
    });
    return new EmbeddedProvider(provider, deps);
  }

  /** Answers whatever is asked below `/oidc`. The body must not have been read. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    const [, uid, step] = INTERACTION.exec(url) ?? [];
    if (uid !== undefined) return this.#interact(request, response, step);
    // What is before the mount is told to the library like this.
    Object.assign(request, { originalUrl: url, url: url.slice(MOUNT.length) || '/' });
    await this.#answer(request, response);
  }

  async #interact(request: IncomingMessage, response: ServerResponse, step: string | undefined): Promise<void> {
    let interaction: Interaction;
    try {
      interaction = await this.#provider.interactionDetails(request, response);
    } catch {
      const detail = 'It was done already, took too long, or was begun in another browser.';
      return send(response, 400, faultPage('This sign-in is not known', detail));
    }
    if (request.method === 'GET' && step === undefined) return this.#ask(response, interaction);
    if (request.method !== 'POST') return send(response, 405, faultPage('This cannot be done', 'Start again.'));
    const form = await formOf(request);
    if (form === undefined) return send(response, 413, faultPage('This cannot be done', 'The form is too large.'));
    const { name } = interaction.prompt;
    if (step === 'cancel') return this.#finish(request, response, CANCELLED);
    if (step === 'login' && name === 'login') return this.#login(request, response, interaction, form);
    if (step === 'consent' && name === 'consent') {
      return this.#finish(request, response, { consent: { grantId: await this.#grant(interaction) } });
    }
    return this.#ask(response, interaction);
  }

  #ask(response: ServerResponse, interaction: Interaction): void {
    const { uid, prompt, params, session } = interaction;
    const action = `${MOUNT}/interaction/${uid}`;
    const person = personOf(session?.accountId);
    const text =
      prompt.name === 'consent' && person !== undefined
        ? consentPage(action, params.client_id, person)
        : loginPage(action, this.#deps.askPassword);
    send(response, 200, text);
  }

  async #login(
    request: IncomingMessage,
    response: ServerResponse,
    { uid }: Interaction,
    form: URLSearchParams,
  ): Promise<void> {
    const { askPassword, secrets } = this.#deps;
    const person = personOf(form.get('person') ?? undefined);
    const again = (status: number, fault: string): void =>
      send(response, status, loginPage(`${MOUNT}/interaction/${uid}`, askPassword, fault));
    if (person === undefined) return again(400, 'Choose one of these people.');
    if (askPassword && !isSame(form.get('password') ?? '', secrets.password)) {
      return again(403, 'This is not the password.');
    }
    await this.#finish(request, response, { login: { accountId: person.id } });
  }

  async #grant({ session, params, prompt }: Interaction): Promise<string> {
    const grant = new this.#provider.Grant({ accountId: session?.accountId ?? '', clientId: params.client_id });
    const { missingOIDCScope = [], missingResourceScopes = {} } = prompt.details;
    if (missingOIDCScope.length > 0) grant.addOIDCScope(missingOIDCScope.join(' '));
    for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
      grant.addResourceScope(resource, scopes.join(' '));
    }
    return grant.save();
  }

  #finish(request: IncomingMessage, response: ServerResponse, result: object): Promise<void> {
    return this.#provider.interactionFinished(request, response, result);
  }
}

const INTERACTION = new RegExp(`^${MOUNT}/interaction/([A-Za-z0-9_-]{10,64})(?:/(login|consent|cancel))?(?:\\?|$)`);
const CANCELLED = { error: 'access_denied', error_description: 'it was cancelled' };

function send(response: ServerResponse, status: number, text: string): void {
  // A form of such a page leads to whoever asked for the sign-in, which for a command line is any port of this machine.
  response.writeHead(status, pageHeaders('anywhere')).end(text);
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_FORM_BYTES) return undefined;
  }
  return new URLSearchParams(text);
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Tells what the library has to say while it is loaded to the log instead of the console, to which it has no other way:
 * that it would rather run on a newer Node.
 */
async function quietly<T>(log: EmbeddedDeps['log'], load: () => Promise<T>): Promise<T> {
  const { info, warn } = console;
  const instead =
    (say: (...args: unknown[]) => void) =>
    (...args: unknown[]): void => {
      if (String(args[0]).includes('oidc-provider')) log.debug(String(args[0]));
      else say.apply(console, args);
    };
  console.info = instead(info);
  console.warn = instead(warn);
  try {
    return await load();
  } finally {
    console.info = info;
    console.warn = warn;
  }
}
