import { parseDocument } from 'yaml';
import type { Env } from '../env.ts';
import { faultsOf } from './faults.ts';
import { nearest } from './nearest.ts';
import { isServiceLink } from './service-link.ts';
import { variableOf, type Setting } from './setting.ts';
import { SETTINGS, type SidecarConfig } from './settings.ts';

export type LoadedConfig =
  | { readonly ok: true; readonly config: SidecarConfig }
  /** Everything that is wrong, a sentence each, with what would be right. */
  | { readonly ok: false; readonly errors: readonly string[] };

const ALL = Object.entries<Setting<unknown>>(SETTINGS);
const PATHS: readonly string[] = ALL.map(([, { path }]) => path);
const VARIABLES: readonly string[] = PATHS.map(variableOf);

/** Names the file, which is no setting in it. */
export const CONFIG_VARIABLE = 'SIDECAR_CONFIG';

/** The file, if there is one, and what variables say instead. An empty variable counts as one that is not set. */
export function loadSidecarConfig(yaml: string | undefined, env: Env): LoadedConfig {
  const errors: string[] = [];
  const texts = yaml === undefined ? new Map<string, string>() : textsOf(yaml, env, errors);
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('SIDECAR_') || name === CONFIG_VARIABLE || VARIABLES.includes(name)) continue;
    if (isServiceLink(name, value)) continue;
    errors.push(`${name} is not a setting${hint(nearest(name, VARIABLES))}`);
  }
  const values: Record<string, unknown> = {};
  for (const [key, setting] of ALL) {
    const variable = variableOf(setting.path);
    const said = env[variable] ?? '';
    const fromEnv = said !== '' && !isServiceLink(variable, said);
    const text = fromEnv ? said : texts.get(setting.path);
    values[key] = text === undefined ? setting.default : setting.unit.read(text);
    if (text !== undefined && values[key] === undefined) {
      errors.push(badValue(fromEnv ? variable : setting.path, setting, text));
    }
  }
  if (errors.length === 0) errors.push(...faultsOf(values as SidecarConfig));
  return errors.length > 0 ? { ok: false, errors } : { ok: true, config: values as SidecarConfig };
}

/** The settings of the file by their paths, each as the text that its variable would have. */
function textsOf(yaml: string, env: Env, errors: string[]): Map<string, string> {
  const texts = new Map<string, string>();
  const document = parseDocument(yaml);
  for (const { message } of document.errors) errors.push(`The file is no YAML: ${message.split('\n')[0]}`);
  if (document.errors.length > 0) return texts;
  const walk = (value: unknown, path: string): void => {
    if (PATHS.includes(path)) {
      const text = textOf(value, env);
      if (typeof text === 'string') texts.set(path, text);
      else if (text !== undefined) errors.push(`${path}: ${text.missing} is named there, and is not set.`);
      return;
    }
    const isGroup = PATHS.some((known) => path === '' || known.startsWith(`${path}.`));
    if (isGroup && (value === null || value === undefined)) return;
    if (isGroup && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, below] of Object.entries(value)) walk(below, path === '' ? key : `${path}.${key}`);
      return;
    }
    if (isGroup)
      errors.push(`${path === '' ? 'The file' : path} has to be names and values, such as egress: {port: 4480}.`);
    else errors.push(`${path} is not a setting${hint(nearest(path, [...PATHS, ...GROUPS]))}`);
  };
  walk(document.toJS(), '');
  return texts;
}

const GROUPS = [...new Set(PATHS.filter((path) => path.includes('.')).map((path) => path.split('.')[0] ?? ''))];

/** A value that is `${NAME}` and nothing else stands for that variable; undefined where it is not set. */
function textOf(value: unknown, env: Env): string | { readonly missing: string } | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) {
    const plain = value.every((entry) => typeof entry !== 'object');
    return plain && value.length > 0 ? value.map(String).join(',') : JSON.stringify(value);
  }
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([name, text]) => `${name}=${String(text)}`)
      .join(',');
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const [, name] = /^\$\{([A-Za-z_]\w*)\}$/.exec(text) ?? [];
  return name === undefined ? text : (env[name] ?? { missing: name });
}

const hint = (meant: string | undefined): string =>
  meant === undefined ? '; docs/sidecar.md lists those there are.' : `: did you mean ${meant}?`;

function badValue(name: string, { unit, default: usual, otherwise }: Setting<unknown>, text: string): string {
  const fault = unit.fault?.(text);
  const because = fault === undefined ? `, not ${JSON.stringify(text.slice(0, 80))}` : `: ${fault}`;
  const fallback = usual === undefined ? otherwise : `its default, ${unit.write(usual)}`;
  return `${name} must be ${unit.expects}${because}. Set it so, or leave it out for ${fallback}.`;
}
