import fc from 'fast-check';

/** The same in every run, so that a run that failed fails again; PROPERTY_SEED=N tries others. */
fc.configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 1) });

export { default } from 'fast-check';
