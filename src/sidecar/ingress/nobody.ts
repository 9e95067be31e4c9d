import type { AdminGuard } from './admin-port.ts';
import { problem } from './loggers.ts';

/** Of a sidecar that was not told who may. */
export const nobody: AdminGuard = {
  check: () =>
    Promise.resolve({
      type: 'refused',
      subject: 'anonymous',
      why: 'admin.issuers is empty',
      answer: problem(403, 'Nobody is let in before admin.issuers names an issuer and an audience (docs/sidecar.md).'),
    }),
};
