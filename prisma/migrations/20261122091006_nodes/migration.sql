-- AlterTable
ALTER TABLE "head" ADD COLUMN     "term" BIGINT NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "membership" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "term" BIGINT NOT NULL,
    "value" JSON NOT NULL,

    CONSTRAINT "membership_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "node" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "heard_at" TIMESTAMPTZ(3) NOT NULL,
    "state" JSON NOT NULL,

    CONSTRAINT "node_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "lease" (
    "key" TEXT NOT NULL,
    "heard_at" TIMESTAMPTZ(3),
    "note" TEXT,
    "touched" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "lease_pkey" PRIMARY KEY ("key")
);

-- What it holds is worth nothing after a crash of the server: everybody renews, and until then has a full lease (INS3).
ALTER TABLE "lease" SET UNLOGGED;
