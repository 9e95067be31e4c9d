-- CreateTable
CREATE TABLE "head" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "epoch" TEXT NOT NULL,
    "revision" BIGINT NOT NULL,
    "trimmed" BIGINT NOT NULL DEFAULT 0,
    "birthplace" TEXT NOT NULL,

    CONSTRAINT "head_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "resource" (
    "name" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "revision" BIGINT NOT NULL,
    "value" JSON NOT NULL,

    CONSTRAINT "resource_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "change_log" (
    "revision" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "author" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "changes" JSON NOT NULL,

    CONSTRAINT "change_log_pkey" PRIMARY KEY ("revision")
);
