-- CreateTable
CREATE TABLE "audit_entry" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "category" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "account" TEXT,
    "project" TEXT,
    "action" TEXT NOT NULL,
    "target" TEXT,
    "service" TEXT,
    "revision_before" BIGINT,
    "revision" BIGINT,
    "result" TEXT NOT NULL,
    "address" TEXT,
    "request_id" TEXT,
    "detail" TEXT,

    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "session" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "data" JSON NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "registration_token" (
    "id" TEXT NOT NULL,
    "service" TEXT NOT NULL,
    "title" TEXT,
    "hash" TEXT NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "registration_token_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "audit_entry_at_idx" ON "audit_entry"("at");

-- CreateIndex
CREATE INDEX "audit_entry_service_id_idx" ON "audit_entry"("service", "id");

-- CreateIndex
CREATE INDEX "session_expires_at_idx" ON "session"("expires_at");

-- CreateIndex
CREATE INDEX "registration_token_service_idx" ON "registration_token"("service");

-- Older entries of the log do not say who may see what they tell, so nobody resumes from before this.
DELETE FROM "change_log";
UPDATE "head" SET "trimmed" = "revision";
