import { createHash } from 'node:crypto';

/** Text that is HTML already. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | undefined | false | readonly Part[];

/** Fills a template; what is not `Html` is text, and is escaped. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html =>
  new Html(strings.reduce((all, text, i) => all + textOf(parts[i - 1]) + text));

function textOf(part: Part): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return escapeHtml(String(part));
}

export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { max-width: 40rem; margin: 4rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .75rem; overflow-wrap: anywhere; }
ul.choices { list-style: none; padding: 0; }
ul.choices li { margin: 0 0 .75rem; }
button, a.button { font: inherit; display: inline-block; padding: .5rem 1rem; border: 1px solid; border-radius: .4rem; background: none; color: inherit; cursor: pointer; text-decoration: none; }
ul.choices button, ul.choices a.button { width: 100%; box-sizing: border-box; text-align: left; }
button:hover, a.button:hover, button:focus-visible, a.button:focus-visible { background: #2563eb; border-color: #2563eb; color: #fff; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input { font: inherit; padding: .4rem .6rem; width: 100%; box-sizing: border-box; }
small { display: block; }
form { margin: 1rem 0; }
[role=alert] { border-left: 4px solid #dc2626; padding-left: .75rem; }
`;

const STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

/** A whole page: no script, nothing from elsewhere. */
export function page(title: string, body: Html): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Signalbox</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body.text}
</main>
</body>
</html>
`;
}

/**
 * The headers of such a page. `formsTo` are the origins that a form may lead to, also by a redirect; `anywhere` leaves that
 * open, for pages whose forms end at a client of the person's own choice.
 */
export function pageHeaders(formsTo: readonly string[] | 'anywhere' = []): Readonly<Record<string, string>> {
  const policy = [
    `default-src 'none'`,
    `style-src ${STYLE_HASH}`,
    ...(formsTo === 'anywhere' ? [] : [`form-action ${["'self'", ...formsTo].join(' ')}`]),
    `base-uri 'none'`,
    `frame-ancestors 'none'`,
  ];
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'cache-control': 'no-store',
    // Not "no-referrer": browsers would then send "Origin: null" with our own forms.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  };
}
