import { routesOfFacets, topicOf, type Selector } from '../domain/selector.ts';
import type { Sight } from '../domain/visibility.ts';
import type { Subscription } from './subscription.ts';
import { TopicGroup, type Offer } from './topic-group.ts';

type Group = TopicGroup<Subscription>;

/** The groups that somebody is in, and by which ways a change finds those that may want it. */
export class Topics {
  readonly #groups = new Map<string, Group>();
  readonly #routes = new Map<string, Set<Group>>();

  get size(): number {
    return this.#groups.size;
  }

  get members(): number {
    let sum = 0;
    for (const group of this.#groups.values()) sum += group.members;
    return sum;
  }

  [Symbol.iterator](): Iterator<Group> {
    return this.#groups.values();
  }

  /** Takes in one change; adds the groups that it concerns to `touched`. */
  offer(offer: Offer, touched: Set<Group>): void {
    for (const route of routesOfFacets(offer.facets)) {
      const groups = this.#routes.get(route);
      if (groups === undefined) continue;
      for (const group of groups) if (group.offer(offer)) touched.add(group);
    }
  }

  join(selector: Selector, sight: Sight): Group {
    const topic = topicOf(selector);
    const key = keyOf(topic, sight);
    let group = this.#groups.get(key);
    if (group === undefined) {
      this.#groups.set(key, (group = new TopicGroup<Subscription>(topic, selector, sight)));
      for (const route of group.routes) {
        const groups = this.#routes.get(route);
        if (groups === undefined) this.#routes.set(route, new Set([group]));
        else groups.add(group);
      }
    }
    group.members += 1;
    return group;
  }

  leave(group: Group): void {
    group.members -= 1;
    if (group.members > 0) return;
    this.#groups.delete(keyOf(group.topic, group.sight));
    for (const route of group.routes) {
      const groups = this.#routes.get(route);
      groups?.delete(group);
      if (groups?.size === 0) this.#routes.delete(route);
    }
  }
}

/** A topic has no spaces, so this is one key for each topic and sight. */
const keyOf = (topic: string, sight: Sight): string => `${topic} ${sight.id}`;
