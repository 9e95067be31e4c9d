type Env = Readonly<Record<string, string | undefined>>;

/**
 * Why assaults cannot be turned on; undefined where they can. What forbids outweighs what allows, and what cannot be understood
 * forbids.
 */
export function whyNoChaos(option: boolean | undefined, env: Env): string | undefined {
  const setting = env['SIGNALBOX_CHAOS']?.toLowerCase();
  if (option === false) return 'the option chaos is false';
  if (setting !== undefined && setting !== '' && setting !== 'on')
    return setting === 'off' ? 'SIGNALBOX_CHAOS is off' : 'SIGNALBOX_CHAOS is neither on nor off';
  if (option === true || setting === 'on') return undefined;
  return env['NODE_ENV'] === 'production'
    ? 'NODE_ENV is production, and neither the option chaos nor SIGNALBOX_CHAOS=on allows it there'
    : undefined;
}
