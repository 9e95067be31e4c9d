import { spawn } from 'node:child_process';

/** Opens a URL with whatever the system opens URLs with; that nothing does is no failure, since the URL is also printed. */
export function openBrowser(url: string, platform: NodeJS.Platform = process.platform): void {
  const [program = '', ...args] = PROGRAMS[platform] ?? ['xdg-open'];
  const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}

const PROGRAMS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};
