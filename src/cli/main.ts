#!/usr/bin/env node
import { processIo } from './io.ts';
import { run } from './program.ts';

const code = await run(process.argv.slice(2), processIo());
// A server that `start` has begun goes on, and sets its own when it ends.
if (code !== 0) process.exitCode = code;
