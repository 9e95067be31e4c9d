import { Type } from 'typebox';
import { PLAIN } from './text.ts';

const optional = Type.Optional;

/** Read-only members are assigned by the server; a request may carry them, and they are passed over. */
export const assigned = {
  name: optional(
    Type.String({
      maxLength: 600,
      pattern: PLAIN,
      description: 'The path of the resource under `/v1`. In `apply` it says which resource is meant.',
    }),
  ),
  revision: optional(
    Type.Integer({
      minimum: 0,
      readOnly: true,
      description: "The revision of the resource's last change; also its ETag.",
    }),
  ),
  createTime: optional(Type.String({ format: 'date-time', readOnly: true, description: 'RFC 3339, UTC.' })),
  warnings: optional(
    Type.Array(Type.Object({ code: Type.String(), resource: Type.String(), message: Type.String() }), {
      readOnly: true,
      description: 'What is odd about it; only in the answer to a write, and only when there is any.',
    }),
  ),
  updateTime: optional(Type.String({ format: 'date-time', readOnly: true, description: 'RFC 3339, UTC.' })),
};
