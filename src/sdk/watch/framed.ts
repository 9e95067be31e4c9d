import type { Select as SelectFrame } from '../../protocol/frames.ts';
import type { Select } from '../select.ts';

/** As it goes into a frame. The two differ in `readonly` alone: what a frame is made of is written out and never changed. */
export const framed = (select: Select): SelectFrame => select as SelectFrame;
