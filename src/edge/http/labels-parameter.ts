import type { Labels } from '../../domain/resources.ts';
import { badParameter } from '../../protocol/problem.ts';
import { LABEL_KEY } from '../../protocol/text.ts';

const KEY = new RegExp(LABEL_KEY);
export const LABELS_EXAMPLE = 'team=identity,tier=1';

/** `k=v,k2=v2`, at least one pair. Throws a `Problem`. */
export function parseLabels(parameter: string, text: string): Labels {
  const labels: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(equals, 0)).trim();
    const value = pair.slice(equals + 1).trim();
    if (equals === -1 || !KEY.test(key)) {
      throw badParameter(
        parameter,
        `must be labels such as ${LABELS_EXAMPLE}; ${JSON.stringify(pair.slice(0, 80))} is none`,
      );
    }
    if (Object.hasOwn(labels, key)) throw badParameter(parameter, `names the label ${key} twice`);
    labels[key] = value;
  }
  return labels;
}
