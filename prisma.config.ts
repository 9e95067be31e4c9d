import { defineConfig } from 'prisma/config';

// Only `prisma generate` and `prisma validate` run through this file, and both work on WASM alone. Prisma still looks for
// its native schema engine first and downloads it when absent, which fails without the open internet; any existing
// file named here ends that search. Migrations never use that engine: see scripts/migration.ts and src/store/migrate.ts.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
