import type { Command } from 'commander';
import { topicOf, type Selector } from '../domain/selector.ts';
import { globalsOf, tokenOf } from './globals.ts';
import { baseUrl } from './http.ts';
import type { Io } from './io.ts';
import { addInstanceFilters, collectLabels, collectList, selectOf, type FilterOptions } from './selectors.ts';
import { count } from './style.ts';
import { WatchSession, type WatchNotice } from './watch-session.ts';
import { asPut, clockTime, deltaJson, deltaLine, goneText, resetReason } from './watch-text.ts';

interface WatchOptions extends FilterOptions {
  readonly snapshot?: true;
}

/** `signalbox watch`: every change as it is accepted, over as many connections as that takes. */
export function addWatch(program: Command, io: Io): void {
  const watch = program
    .command('watch')
    .summary('print changes as they are accepted')
    .description(
      'Prints a line for every accepted change: time, revision, + ~ or - for created, updated and deleted, name, and what changed. It survives restarts of the server and misses nothing meanwhile. Ctrl-C ends it.',
    )
    .argument('[kind]', 'what to watch: regions, services, versions, deployments, instances ...', '*')
    .option(
      '-s, --service <services>',
      'only what belongs to these services (comma-separated or repeated)',
      collectList,
    )
    .option('-r, --region <regions>', 'only these regions, and what is in them', collectList)
    .option('-l, --label <labels>', 'only what carries all of these labels, KEY=VALUE', collectLabels);
  addInstanceFilters(watch)
    .option('--snapshot', 'begin with everything that is there now')
    .addHelpText(
      'after',
      `
With --json each change is a line of JSON as the feed sends it ({op, kind, key, revision, value}); what the command has to
say about its connection goes to standard error.

Examples:
  signalbox watch
  signalbox watch deployments -s iam.edgelq.com -r us-east,eu-west
  signalbox watch services -l tier=core --snapshot
  signalbox watch instances -s orders.example.com --passing
  signalbox watch instances -e prod --tag zone=a --snapshot
  signalbox watch --json | jq -r .key`,
    )
    .action(async (kind: string, options: WatchOptions, command: Command) => {
      const { url, json } = globalsOf(command);
      const select = selectOf(kind, options);
      const show = json === true ? jsonPrinter(io, options) : printer(io, options, select);
      const session = new WatchSession({ url: baseUrl(url), select, onNotice: show, token: tokenOf(command, io) });
      io.onInterrupt(() => void session.stop());
      await session.run();
    });
}

type Print = (notice: WatchNotice) => void;

/** Changes and the state of the copy to standard output, the state of the connection to standard error. */
function printer(io: Io, options: WatchOptions, select: Selector): Print {
  const topic = topicOf(select);
  const gone = goneText(select);
  const say = connectionPrinter(io);
  return (notice) => {
    const at = new Date();
    switch (notice.type) {
      case 'loaded':
        if (options.snapshot === true)
          for (const value of notice.values) io.out(deltaLine(asPut(value), at, io.style, gone));
        io.out(
          `${io.style.dim(clockTime(at))} ${notice.revision} ${io.style.bold(count(notice.values.length, 'resource'))} in ${topic}; watching for changes`,
        );
        return;
      case 'reloaded':
        for (const delta of notice.deltas) io.out(deltaLine(delta, at, io.style, gone));
        io.out(
          `${io.style.dim(clockTime(at))} ${notice.revision} ${io.style.bold(count(notice.count, 'resource'))} in ${topic}; ${count(notice.deltas.length, 'differs', 'differ')} from what was held`,
        );
        return;
      case 'changed':
        for (const delta of notice.deltas) io.out(deltaLine(delta, at, io.style, gone));
        return;
      default:
        say(notice);
    }
  };
}

/** A stream of changes that can be folded from its beginning: a new snapshot comes as what differs from the old copy. */
function jsonPrinter(io: Io, options: WatchOptions): Print {
  const say = connectionPrinter(io);
  return (notice) => {
    switch (notice.type) {
      case 'loaded':
        if (options.snapshot === true) for (const value of notice.values) io.out(deltaJson(asPut(value)));
        return;
      case 'reloaded':
      case 'changed':
        for (const delta of notice.deltas) io.out(deltaJson(delta));
        return;
      default:
        say(notice);
    }
  };
}

function connectionPrinter(io: Io): Print {
  return (notice) => {
    const line = connectionLine(notice);
    if (line !== undefined) io.err(`${io.errStyle.dim(clockTime(new Date()))} ${io.errStyle.yellow(line)}`);
  };
}

function connectionLine(notice: WatchNotice): string | undefined {
  switch (notice.type) {
    case 'lost':
      return `${notice.connected ? 'connection lost' : 'not connected yet'}: ${notice.why}; trying again`;
    case 'regained':
      return notice.since === undefined ? 'connected' : `connected again; going on after revision ${notice.since}`;
    case 'reset':
      return `the server starts over: ${resetReason(notice.reason)}`;
    case 'mismatch':
      return `the copy does not agree with the server at revision ${notice.revision}; asking for it anew`;
    default:
      return undefined;
  }
}
