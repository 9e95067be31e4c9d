-- CreateTable
CREATE TABLE "api_document" (
    "sha256" TEXT NOT NULL,
    "body" BYTEA NOT NULL,
    "stored_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "api_document_pkey" PRIMARY KEY ("sha256")
);
