import { expect, test } from '@jest/globals';
import { placeOf } from '../../src/sidecar/ingress/paths.ts';

const placed = (target: string): string => placeOf(target, ['/adm', '/actuator']).type;

test('SEC1 what is guarded is guarded with all below it', () => {
  for (const target of [
    '/adm',
    '/adm/logger',
    '/adm/server/info?x=1',
    '/adm/',
    '/actuator/loggers/a',
    '/health/liveness/x',
    '/health/x',
  ])
    expect([target, placed(target)]).toEqual([target, 'guarded']);
  expect(placeOf('/adm/logger?x=/adm', ['/adm'])).toEqual({ type: 'guarded', path: '/adm/logger' });
});

test('everything else is open', () => {
  for (const target of [
    '/',
    '/health',
    '/health?x',
    '/admin',
    '/orders/adm',
    '/orders?path=/adm/logger',
    '/orders/../x',
    '//x',
    '/a%2fb',
    '/%zz',
    '/administration/adm',
  ])
    expect([target, placed(target)]).toEqual([target, 'open']);
});

test('SEC1 what a forgiving backend could take for a guarded path is not let through as an open one', () => {
  for (const target of [
    '//adm/logger',
    '/./adm/logger',
    '/orders/../adm/logger',
    '/%61dm/logger',
    '/%2561dm/logger',
    '/adm;x=1/logger',
    '/orders/..;/adm/logger',
    '/orders/%2e%2e/adm',
    '/orders%2f..%2fadm/logger',
    '\\adm\\logger',
    '/ADM/logger',
    '/Actuator/loggers',
    '/adm//logger',
    '/adm/../orders/../adm',
    '/adm%2flogger',
    '/adm%00/logger',
    '/health//x',
    '/Health/x',
  ])
    expect([target, placed(target)]).toEqual([target, 'disguised']);
});
