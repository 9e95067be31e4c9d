import { Html, html, page } from '../html.ts';
import { BROWSER_CLIENT, CLI_CLIENT, PEOPLE, type Person } from './people.ts';

/** Asks who is signing in; `fault` says what was wrong the last time. */
export function loginPage(action: string, askPassword: boolean, fault?: string): string {
  const people = PEOPLE.map(
    ({ id, name, may }) =>
      html` <li>
        <button name="person" value="${id}"><strong>${name}</strong><small>${may}</small></button>
      </li>`,
  );
  const password = html` <p>
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autocomplete="off" required autofocus />
    <small
      >All of them have the same one. Signalbox says it when it starts, and it stands in
      <code>development.json</code> in its data directory.</small
    >
  </p>`;
  const open = html` <p>
    Nobody needs a password here: in development mode, whoever reaches this server may do everything anyway.
    <code>DEVELOPMENT_ACCESS=login</code> changes that.
  </p>`;
  return page(
    'Who are you?',
    html`${fault !== undefined && html`<p role="alert">${fault}</p>`}
      <p>These are the people of development mode.</p>
      <form method="post" action="${action}/login">
        ${askPassword ? password : open}
        <ul class="choices">
          ${people}
        </ul>
      </form>
      ${cancel(action)}`,
  );
}

const CLIENTS: Readonly<Record<string, string>> = {
  [BROWSER_CLIENT]: 'Signalbox',
  [CLI_CLIENT]: 'The command line of Signalbox',
};

/** Asks whether a client may act for somebody. */
export const consentPage = (action: string, client: string, person: Person): string =>
  page(
    'May this be?',
    html`<p>
        <strong>${CLIENTS[client] ?? client}</strong> wants to act for you. You are <strong>${person.name}</strong>.
      </p>
      <p>${person.may}</p>
      <form method="post" action="${action}/consent"><button autofocus>Allow</button></form>
      ${cancel(action)}`,
  );

const cancel = (action: string): Html =>
  html`<form method="post" action="${action}/cancel"><button>Cancel</button></form>`;

/** `form` is the provider's own, without a button. */
export const logoutPage = (form: string, person: Person | undefined): string =>
  page(
    'Log out of the development provider as well?',
    html`<p>
        You are logged out of Signalbox. The provider still knows
        you${person && html` as <strong>${person.name}</strong>`}, and would let you in again without asking.
      </p>
      ${new Html(form)}
      <p>
        <button form="op.logoutForm" name="logout" value="yes" autofocus>Log out</button>
        <button form="op.logoutForm">Stay</button>
      </p>`,
  );

export const loggedOutPage = (): string =>
  page('You are logged out', html`<p><a class="button" href="/login">Log in again</a></p>`);

/** `form` is the provider's own, with a field for the code. */
export const codePage = (form: string, wrong: boolean): string =>
  page(
    'Sign in a command line',
    html`${wrong && html`<p role="alert">This code is not known, or was used, or is too old.</p>`}
      <p>Enter the code that <code>signalbox login --device</code> shows.</p>
      ${new Html(form)}
      <p><button form="op.deviceInputForm">Continue</button></p>`,
  );

export const confirmCodePage = (form: string, client: string, code: string): string =>
  page(
    'Is this the code?',
    html`<p><strong>${CLIENTS[client] ?? client}</strong> should show</p>
      <p>
        <strong><code>${code}</code></strong>
      </p>
      <p>If it does not, somebody else may be trying to sign in as you.</p>
      ${new Html(form)}
      <p>
        <button form="op.deviceConfirmForm" autofocus>It does: continue</button>
        <button form="op.deviceConfirmForm" name="abort" value="yes">It does not</button>
      </p>`,
  );

export const codeDonePage = (): string =>
  page('You are signed in', html`<p>The command line goes on by itself; this page can be closed.</p>`);

export const faultPage = (title: string, detail: string): string =>
  page(
    title,
    html`<p role="alert">${detail}</p>
      <p><a class="button" href="/login">Start again</a></p>`,
  );
