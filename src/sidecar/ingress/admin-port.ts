import type { AdminAnswer, AdminHandler, AdminRequest } from '../../kit/admin/request.ts';

/** Who is let in to admin endpoints. The kit's guard is one. */
export interface AdminGuard {
  check(
    request: Pick<AdminRequest, 'headers' | 'listener'>,
  ): Promise<
    | { readonly type: 'allowed'; readonly subject: string }
    | { readonly type: 'refused'; readonly subject: string; readonly why: string; readonly answer: AdminAnswer }
  >;
}

/** The sidecar's own side of what it combines with the backend's. The kit's handlers are such. */
export interface OwnAdmin {
  readonly serverInfo: AdminHandler;
  readonly listLoggers: AdminHandler;
  readonly setLoggers: AdminHandler;
}
