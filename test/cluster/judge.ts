import type { Answer } from '../support/signalbox.ts';
import { absencesOf } from './absences.ts';
import type { Crowd } from './crowd.ts';
import type { LogReader } from './log-reader.ts';
import type { Look } from './node-look.ts';
import type { FaultRecord, Sighting, Stretch, Violation, Write } from './record.ts';
import { agree } from './validators/agree.ts';
import { checks } from './validators/checks.ts';
import { cov2OfAll } from './validators/cov2.ts';
import { gone } from './validators/gone.ts';
import { ins1 } from './validators/ins1.ts';
import { ins3 } from './validators/ins3.ts';
import { ins4, type Guard } from './validators/ins4.ts';
import { modes } from './validators/modes.ts';
import { rev2 } from './validators/rev.ts';
import { heardOf } from './validators/signs.ts';
import { sticks } from './validators/sticks.ts';
import type { Fleet } from './workers/fleet.ts';

export interface Evidence {
  readonly writes: readonly Write[];
  /** Answers that are none of those that the API promises. */
  readonly odd: readonly Pick<Answer, 'status' | 'body'>[];
  readonly reader: Pick<LogReader, 'violations' | 'marks' | 'ledger' | 'instances' | 'holds' | 'view'>;
  readonly crowd: Pick<Crowd, 'violations' | 'told'>;
  readonly fleet: Pick<Fleet, 'lives' | 'herd'>;
  readonly faults: readonly FaultRecord[];
  readonly stalls: readonly Stretch[];
  readonly guard: Guard;
  /** Their names. */
  readonly nodes: readonly string[];
  readonly sightings: readonly Sighting[];
  readonly looks: readonly Look[];
  readonly checkedFrom: number;
  readonly checkedUntil: number;
  /** When reading the log ended. */
  readonly endedAt: number;
}

/** All validators over what a run has left. */
export function judge(run: Evidence): { violations: Violation[]; detections: readonly number[] } {
  const { reader, crowd, fleet, faults, stalls, nodes, guard } = run;
  const { holds } = reader;
  const { herd } = fleet;
  const lives = fleet.lives.map((life) => heardOf(life, faults, stalls));
  const events = reader.instances;
  const healed = absencesOf(faults, { nodes: nodes.length, end: 'healed' });
  const recovered = absencesOf(faults, { nodes: nodes.length, end: 'recovered' });
  const detected = ins1({
    lives,
    events,
    told: crowd.told,
    absences: recovered,
    faults,
    stalls,
    holds,
    guarded: new Set([herd]),
  });
  const violations = [
    ...reader.violations,
    ...crowd.violations,
    ...run.odd.map(({ status, body }) => ({
      promise: 'answers',
      what: `${status} ${JSON.stringify(body)}`,
      evidence: body,
    })),
    ...reader.ledger.violations,
    ...rev2(run.writes, reader.marks),
    ...cov2OfAll(reader.view),
    ...gone(lives, events, stalls),
    ...ins3(lives, events, healed),
    ...ins4({ events, holds, faults, guard }),
    ...sticks({ holds, absences: recovered, faults, guard, endedAt: run.endedAt }),
    ...detected.violations,
    ...modes(faults, run.sightings, nodes, stalls),
    ...agree(run.looks),
    ...checks({ lives, events, absences: recovered, faults, stalls, from: run.checkedFrom, until: run.checkedUntil }),
  ];
  return { violations, detections: detected.detections };
}
