import { describe, expect, test } from '@jest/globals';
import type { Announcement } from '../../src/bus/port.ts';
import { BUS_PROTOCOL, decodeAnnouncement, encodeAnnouncement } from '../../src/bus/wire.ts';
import { entry } from '../bus/contract.ts';
import { previousPeer, RELEASE } from './previous.ts';

const peer = await previousPeer();

const announcements: readonly Announcement[] = [
  { epoch: 'e', from: 7, to: 8, entries: [entry(7), entry(8)] },
  { epoch: 'e', from: 7, to: 900 },
  { epoch: 'an "epoch" with \\ and\nmore', from: 0, to: Number.MAX_SAFE_INTEGER, entries: [] },
];

describe(`what nodes of ${RELEASE.version} and of this version tell each other`, () => {
  test('PUSH11 is of one number, or the other side reads the log', () => {
    expect(RELEASE.protocol.bus).toBe(peer.BUS_PROTOCOL);
    for (const announcement of announcements) {
      const there = encodeAnnouncement('node', announcement);
      const here = peer.encodeAnnouncement('node', announcement);
      if (BUS_PROTOCOL === peer.BUS_PROTOCOL) {
        expect(peer.decodeAnnouncement(there)).toEqual(announcement);
        expect(decodeAnnouncement(here)).toEqual(announcement);
      } else {
        // An error is a gap to who hears it, and after a gap the log is read.
        expect(() => peer.decodeAnnouncement(there)).toThrow('of protocol');
        expect(() => decodeAnnouncement(here)).toThrow('of protocol');
      }
    }
  });
});
