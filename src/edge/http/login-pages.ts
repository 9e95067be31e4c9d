import type { SessionData } from '../../auth/session-data.ts';
import { html, page, type Html } from '../../auth/html.ts';
import { ROLES } from '../../auth/rights.ts';
import type { Who } from '../../auth/who-is.ts';

export interface Choice {
  readonly issuer: string;
  readonly title: string;
}

/** `open`: in development mode, who has not logged in is the administrator. */
export function loginPage(choices: readonly Choice[], returnTo: string, who: Who, open: boolean): string {
  const items = choices.map(
    ({ issuer, title }) =>
      html` <li>
        <a class="button" href="/login?issuer=${encodeURIComponent(issuer)}&return_to=${encodeURIComponent(returnTo)}"
          >Log in with ${title}</a
        >
      </li>`,
  );
  return page(
    'Log in',
    html`${who.kind !== 'stranger' && html`<p>You are <strong>${who.subject}</strong> now: <a href="/session">more about that</a>.</p>`}
      ${open && html`<p>This is development mode, where nobody has to log in: who does not is the administrator. Who logs in is who they say, with the rights of that person alone.</p>`}
      ${choices.length === 0 && html`<p role="alert">Nobody can log in here with a browser: no issuer in <code>OIDC_ISSUERS</code> has a <code>login</code>. Programs send a token.</p>`}
      <ul class="choices">
        ${items}
      </ul>`,
  );
}

/** Who the browser is here. */
export function sessionPage(who: Who, session: SessionData | undefined, csrf: string | undefined): string {
  if (who.kind === 'stranger') {
    return page('You are not logged in', html`<p><a class="button" href="/login">Log in</a></p>`);
  }
  return page(
    `You are ${session?.name ?? who.subject}`,
    html`<dl>
        <dt>Subject</dt>
        <dd>${who.subject}</dd>
        ${
          session !== undefined &&
          html`<dt>Signed in at</dt>
            <dd>${session.issuer}</dd>
            <dt>Until</dt>
            <dd>${new Date(session.endsAt).toISOString()} at the latest</dd>`
        }
        ${
          who.account !== undefined &&
          html`<dt>Service account</dt>
            <dd>${who.account}</dd>`
        }
        ${
          who.project !== undefined &&
          html`<dt>Project</dt>
            <dd>${who.project}</dd>`
        }
        <dt>Roles</dt>
        ${who.roles.map((role) => html`<dd>${ROLES[role].split(':')[0]}</dd>`)}
        <dt>Services</dt>
        ${servicesOf(who)}
      </dl>
      ${csrf !== undefined && html`<form method="post" action="/logout"><input type="hidden" name="csrf" value="${csrf}" /><button>Log out</button></form>`}
      ${csrf === undefined && html`<p>Nobody has logged in with this browser. <a href="/login">Log in</a></p>`}`,
  );
}

function servicesOf({ kind, services }: Who): Html {
  if (kind === 'administrator') return html`<dd>all of them</dd>`;
  if (services.length === 0) return html`<dd>none</dd>`;
  return html`${services.map((id) => html`<dd>${id}</dd>`)}`;
}

/** After logging out; `url` is where the issuer ends its own session. */
export const loggedOutPage = (url: string | undefined): string =>
  page(
    'You are logged out',
    url === undefined
      ? html`<p><a class="button" href="/login">Log in again</a></p>`
      : html`<meta http-equiv="refresh" content="0; url=${url}" />
          <p>Your identity provider may still know you. <a href="${url}">Go on to log out there</a></p>`,
  );

export const faultPage = (title: string, detail: string): string =>
  page(
    title,
    html`<p role="alert">${detail}</p>
      <p><a class="button" href="/login">Try again</a></p>`,
  );
