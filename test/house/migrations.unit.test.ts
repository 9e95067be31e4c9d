import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { RELEASE } from '../upgrade/previous.ts';
import { incompatible, isMarkedSafe } from './migration-sql.ts';

const DIRECTORY = resolve('prisma/migrations');
const names = readdirSync(DIRECTORY, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .toSorted();
const read = (name: string): string =>
  readFileSync(join(DIRECTORY, name, 'migration.sql'), 'utf8').replaceAll('\r\n', '\n');

describe(`the migrations since ${RELEASE.version}`, () => {
  test('those that it had are as they were, and before all others', () => {
    const sha256 = (name: string): string => createHash('sha256').update(read(name)).digest('hex');
    const first = names.slice(0, RELEASE.migrations.length);
    expect(first.map((name) => ({ name, sha256: sha256(name) }))).toEqual(RELEASE.migrations);
  });

  test('its nodes can go on beside all others', () => {
    const since = names.slice(RELEASE.migrations.length).map(read);
    expect(incompatible(since.map((sql) => (isMarkedSafe(sql) ? '' : sql)))).toEqual([]);
  });
});

describe('what a node of the release before may trip over', () => {
  test.each([
    'DROP TABLE "head"',
    'DROP TABLE IF EXISTS head, resource CASCADE',
    'ALTER TABLE "head" DROP COLUMN "trimmed"',
    'ALTER TABLE "head" ADD COLUMN "a" INT, DROP "b"',
    'ALTER TABLE "head" RENAME TO "top"',
    'ALTER TABLE "head" RENAME COLUMN "a" TO "b"',
    'ALTER TABLE "head" ALTER COLUMN "epoch" TYPE UUID USING "epoch"::uuid',
    'ALTER TABLE "head" ALTER COLUMN "epoch" SET DATA TYPE UUID',
    'ALTER TABLE "head" ALTER COLUMN "epoch" SET NOT NULL',
    'ALTER TABLE "head" ALTER COLUMN "epoch" DROP NOT NULL',
    'ALTER TABLE "head" ALTER COLUMN "epoch" DROP DEFAULT',
    'ALTER TABLE "head" ADD COLUMN "a" INT NOT NULL',
    'ALTER TABLE "head" ADD COLUMN "a" TEXT NOT NULL CHECK ("a" <> \'DEFAULT\')',
    'ALTER TABLE "head" ADD "a" INT DEFAULT 1 CHECK ("a" > 0)',
    'ALTER TABLE "head" ADD COLUMN "a" INT UNIQUE',
    'ALTER TABLE "head" ADD COLUMN "a" TEXT REFERENCES "resource" ("name")',
    'ALTER TABLE "head" ADD CONSTRAINT "c" CHECK ("id" = 1)',
    'ALTER TABLE ONLY public.head ADD FOREIGN KEY ("a") REFERENCES "b" ("id")',
    'ALTER TABLE "head" ADD UNIQUE ("epoch")',
    'ALTER TABLE "head" SET UNLOGGED',
    'CREATE UNIQUE INDEX "i" ON "resource" ("kind")',
    'CREATE TABLE "more" ("name" TEXT REFERENCES "resource" ("name"))',
    'DROP INDEX "i"',
    'ALTER TYPE "kind" ADD VALUE \'x\'',
    'UPDATE "head" SET "epoch" = \'x\'',
    'DELETE FROM "resource"',
    'TRUNCATE "resource"',
    'INSERT INTO "resource" VALUES (1)',
    'CREATE TRIGGER t BEFORE UPDATE ON "head" EXECUTE FUNCTION f()',
    'DO $$ BEGIN PERFORM 1; END $$',
    'create table "more" (id int); drop table "head"',
    '/* ; */ -- ALTER TABLE\n alter\n table "head"\n drop column "id"',
  ])('%s', (sql) => {
    expect(incompatible([sql])).not.toEqual([]);
  });

  test.each([
    '',
    '-- DROP TABLE "head";\n/* DROP TABLE "head"; */',
    'CREATE TABLE "more" ("id" INT NOT NULL, "a" TEXT UNIQUE CHECK ("a" <> \';\'), CONSTRAINT "p" PRIMARY KEY ("id"))',
    'CREATE UNLOGGED TABLE more (id INT); CREATE UNIQUE INDEX "i" ON "more" ("id")',
    'CREATE TABLE "more" ("id" INT); ALTER TABLE "more" SET UNLOGGED; ALTER TABLE public."more" ADD CHECK ("id" > 0)',
    'CREATE TABLE "more" ("id" INT); CREATE TABLE "most" ("id" INT REFERENCES "more" ("id")); INSERT INTO "more" VALUES (1)',
    'ALTER TABLE "head" ADD COLUMN "term" BIGINT NOT NULL DEFAULT 0',
    'ALTER TABLE "head" ADD COLUMN     "a" NUMERIC(3, 2),\nADD COLUMN "b" TEXT NOT NULL DEFAULT \'DROP\'',
    'ALTER TABLE "head" ALTER COLUMN "a" SET DEFAULT 2',
    'CREATE INDEX "i" ON "resource" ("kind")',
    'CREATE TYPE "colour" AS ENUM (\'red\')',
  ])('not %s', (sql) => {
    expect(incompatible([sql])).toEqual([]);
  });

  test('a table that one of these migrations made is for the later ones to change', () => {
    expect(incompatible(['CREATE TABLE "more" ("a" INT)', 'ALTER TABLE "more" DROP COLUMN "a"'])).toEqual([]);
    expect(incompatible(['ALTER TABLE "more" DROP COLUMN "a"', 'CREATE TABLE "more" ("a" INT)'])).toHaveLength(1);
  });

  test('a migration may say why it is safe all the same, and has to say why', () => {
    expect(isMarkedSafe('-- Safe beside the previous release: it never reads the column.\nDROP TABLE x')).toBe(true);
    expect(isMarkedSafe('-- Safe beside the previous release:\nDROP TABLE x')).toBe(false);
    expect(isMarkedSafe('DROP TABLE x')).toBe(false);
  });
});
