import type { Bench, Server } from './bench.ts';
import { percent } from './format.ts';
import { drive, requestBytes } from './http-load.ts';

const CONNECTIONS = 64;

/** Answers a second over 64 connections that each ask again when they are answered; how it went is added to the notes. */
export async function requestRate(
  bench: Bench,
  server: Server,
  next: () => Buffer,
  notes: string[],
  what: string,
): Promise<number> {
  const load = {
    port: server.port,
    connections: CONNECTIONS,
    next,
    warmUpMs: bench.quick ? 500 : 1500,
    durationMs: bench.quick ? 1500 : 4000,
  };
  const { result, cpu } = await bench.undisturbed(notes, () => bench.measure(server, () => drive(load)));
  notes.push(
    `${what}: p50 ${result.p50.toFixed(2)} ms, p99 ${result.p99.toFixed(2)} ms; server ${percent(cpu.server)}, client ${percent(cpu.client)} of a core.`,
  );
  return result.perSecond;
}

/** The same question each time. */
export function asking(path: string): () => Buffer {
  const request = requestBytes('GET', path);
  return () => request;
}

/** Of an answer with so many items, where it has items. */
export async function sizeOf(server: Server, path: string, expected: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  const { items } = JSON.parse(text) as { items?: unknown[] };
  if (items !== undefined && items.length !== expected) throw new Error(`${path} answered ${items.length} items`);
  return Buffer.byteLength(text);
}
