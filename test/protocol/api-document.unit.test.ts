import { expect, test } from '@jest/globals';
import { describeApi } from '../../src/protocol/api-document.ts';

const info = { title: 'Orders', version: '1.4.2' };

test.each([
  [{ openapi: '3.1.0', info }, '3.1.0'],
  [{ openapi: '3.0.3', info, paths: {} }, '3.0.3'],
  [{ openapi: '3.2.0-rc1', info }, '3.2.0-rc1'],
  [{ swagger: '2.0', info }, '2.0'],
])('%j is an API document', (value, openapi) => {
  expect(describeApi(value)).toEqual({ openapi, title: 'Orders', apiVersion: '1.4.2' });
});

test.each<[value: unknown, pointers: string[]]>([
  [undefined, ['']],
  [null, ['']],
  [[], ['']],
  ['openapi', ['']],
  [{}, ['/openapi', '/info']],
  [{ openapi: '3.1.0' }, ['/info']],
  [{ openapi: 3.1, info }, ['/openapi']],
  [{ openapi: '4.0.0', info }, ['/openapi']],
  [{ openapi: '3.1', info }, ['/openapi']],
  [{ openapi: '3.1.0\n', info }, ['/openapi']],
  [{ swagger: 2, info }, ['/swagger']],
  [{ swagger: '1.2', info }, ['/swagger']],
  [{ openapi: '3.1.0', info: { title: '', version: 1 } }, ['/info/title', '/info/version']],
  [{ openapi: '3.1.0', info: { title: 'x'.repeat(257), version: '1' } }, ['/info/title']],
  [{ openapi: '3.1.0', info: { title: 'a\u001b[2Jb', version: '1\u202e' } }, ['/info/title', '/info/version']],
  [{ openapi: '3.1.0', info: { title: '\ud800', version: '1' } }, ['/info/title']],
  [{ openapi: '3.1.0', info: [] }, ['/info']],
  [JSON.parse(`{"__proto__": ${JSON.stringify({ openapi: '3.1.0', info })}}`), ['/openapi', '/info']],
  [Object.create({ openapi: '3.1.0', info }), ['/openapi', '/info']],
])('%j is none, and it says what is missing', (value, pointers) => {
  const errors = describeApi(value);
  expect(Array.isArray(errors) && errors.map(({ pointer }) => pointer)).toEqual(pointers);
});
