import { createHash } from 'node:crypto';

const BYTES = 32;

/** 256 random bits, for a cookie. */
export const newCredential = (random: (bytes: number) => Buffer): string => random(BYTES).toString('base64url');

export const isCredential = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);

/** What is kept of it: who reads the database cannot be anybody by that. */
export const hashOf = (credential: string): string => createHash('sha256').update(credential).digest('hex');
