import { Type } from 'typebox';

/** What the answer to `GET /v1/instances/{instance}` has beside the instance, for the documentation. */

const optional = Type.Optional;
const duration = (description: string) => Type.String({ description, examples: ['12s'] });
const time = (description: string) => Type.String({ format: 'date-time', description });

export const REPORT = Type.Object(
  {
    lease: optional(
      Type.Object(
        {
          ttl: duration('How long a renewal lasts.'),
          expiresIn: duration('How long the last one still lasts.'),
          attached: Type.Boolean({ description: 'Whether an open watch socket keeps it, too.' }),
        },
        { description: 'With a `ttl` check.' },
      ),
    ),
    nextCheckIn: optional(duration('With the other checks.')),
    lastChecks: Type.Array(
      Type.Object({
        at: time('When it ended.'),
        status: Type.Enum(['passing', 'warning', 'critical']),
        reason: Type.String(),
        durationMs: Type.Number({ description: 'How many milliseconds it took.' }),
      }),
      { description: 'The last few results, the newest first.' },
    ),
    consecutivePasses: Type.Integer(),
    consecutiveFailures: Type.Integer(),
    flapping: optional(
      Type.Object(
        { penalty: Type.Number(), heldFor: optional(duration('How long it is kept from passing.')) },
        { description: 'While its health goes up and down (INS2).' },
      ),
    ),
    guardedFor: optional(
      duration('It has failed, and the eviction guard keeps it passing for so long at most (INS4).'),
    ),
    deregistersIn: optional(duration('How long until it is removed, if it stays critical.')),
  },
  {
    description:
      'Why it is as it is, and what will become of it; changes without a revision (REV3). Only the node that does its checks has it.',
  },
);

export const DEPLOYMENT = Type.String({
  description: 'The deployment of the catalog that it runs, where there is one of its service in its region.',
  examples: ['services/orders.example.com/deployments/eu-central'],
});

export const GUARD = Type.Object(
  {
    service: Type.String(),
    region: Type.String({ description: '`-` for instances without a region.' }),
    held: Type.Integer({ description: 'Instances that have failed and are kept.' }),
    until: time('When it lets go at the latest.'),
  },
  { description: 'While the eviction guard is at work for its service and region (INS4).' },
);
