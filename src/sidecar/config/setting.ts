import type { Unit } from '../../config-units.ts';

/** One setting: `path` is where it stands in the file, such as `egress.port`; its variable is made of that. */
export interface Setting<T> {
  readonly path: string;
  readonly unit: Unit<T>;
  readonly description: string;
  readonly default?: T;
  /** What happens when it is not set, where no single value says it. */
  readonly otherwise?: string;
}

/** `egress.maxHeaderBytes` is `SIDECAR_EGRESS_MAX_HEADER_BYTES`. */
export const variableOf = (path: string): string =>
  `SIDECAR_${path
    .replaceAll(/[A-Z]/g, (letter) => `_${letter}`)
    .replaceAll('.', '_')
    .toUpperCase()}`;

export const required = <T>(setting: Setting<T> & { readonly default: T }): Setting<T> & { readonly default: T } =>
  setting;

export const optional = <T>(
  setting: Setting<T> & { readonly otherwise: string },
): Setting<T> & { readonly otherwise: string } => setting;
