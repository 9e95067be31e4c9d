import { Type } from 'typebox';
import { DURATION } from '../domain/duration.ts';
import { closed, text } from './text.ts';

/** What a registration token is asked for with. */
export const NewRegistrationTokenSchema = closed(
  {
    title: Type.Optional(text(200, { description: 'What it is for.', examples: ['the build farm'] })),
    ttl: Type.Optional(
      Type.String({
        pattern: DURATION,
        description:
          'How long it is good: 1m to REGISTRATION_TOKEN_MAX_AGE. By default 90 days, or REGISTRATION_TOKEN_MAX_AGE if that is less.',
        examples: ['2160h'],
      }),
    ),
    expireTime: Type.Optional(
      Type.String({ format: 'date-time', description: 'Until when it is good, in place of ttl.' }),
    ),
  },
  { description: 'Left out, it has no title and is good for 90 days.' },
);

const base = {
  id: Type.String({ description: '24 hexadecimal digits.' }),
  service: Type.String(),
  title: Type.Optional(Type.String()),
  createTime: Type.String({ format: 'date-time' }),
  expireTime: Type.String({ format: 'date-time', description: 'Until when it is good.' }),
  createdBy: Type.String({ description: 'Who made it, as the audit names them.' }),
};

export const RegistrationTokenSchema = Type.Object({
  ...base,
  revokeTime: Type.Optional(Type.String({ format: 'date-time', description: 'Since when it is good no more.' })),
});

export const CreatedRegistrationTokenSchema = Type.Object({
  ...base,
  token: Type.String({ description: 'What the bearer shows. It is told this once, and kept nowhere.' }),
});
