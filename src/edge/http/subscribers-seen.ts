import { topicOf, type Selector } from '../../domain/selector.ts';
import type { Reader } from '../../domain/view.ts';
import { audienceOfServiceId, sees, type Sight } from '../../domain/visibility.ts';

/** Whose subscriptions are told of: to administrators `all`, to others those that concern services of theirs. */
export type Own = 'all' | readonly string[];

/**
 * The topic of a subscription as it may be told: without the services that are not the asker's. `undefined`: it concerns
 * none of theirs, since it selects others, or since its subscriber does not see them.
 */
export function topicFor(own: Own, selector: Selector, subscriber: Sight, state: Reader): string | undefined {
  if (own === 'all') return topicOf(selector);
  const selected = selector.services === undefined ? own : selector.services.filter((id) => own.includes(id));
  const seen = selected.filter((id) => sees(subscriber, audienceOfServiceId(id, state)));
  if (seen.length === 0) return undefined;
  return topicOf(selector.services === undefined ? selector : { ...selector, services: seen });
}
