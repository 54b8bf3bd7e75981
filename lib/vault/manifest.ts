import { z } from "zod";
import { AppError } from "../core/errors.ts";
import { fullPlace } from "./names.ts";
import type { RecordKind } from "./record.ts";

// Manifest version 1, as docs/format.md describes it. The format only grows: a reader leaves out fields that it does not know,
// and a change that an old reader must not overlook gets a new version.

const VERSION = 1;
const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const fingerprint = z.string().regex(/^[0-9a-f]{16}$/);
const keyId = z.string().regex(/^[0-9a-f]{32}$/);
const instant = z.iso.datetime();
/** Parts of letters, digits and `._~%-`, none of them "." or "..". */
const blobName = z.string().regex(/^(?!\.{1,2}(?:\/|$))[\w.~%-]+(?:\/(?!\.{1,2}(?:\/|$))[\w.~%-]+)*$/);

const blob = z.object({
  name: blobName,
  role: z.enum(["schema", "rows"]),
  sizeBytes: count,
  plainBytes: count,
  chunks: count,
  sha256,
  rows: count.optional(),
  fingerprint: fingerprint.optional(),
  table: z.object({ schema: z.string(), name: z.string(), part: count }).optional(),
});

const table = z.object({ schema: z.string(), name: z.string(), rows: count, fingerprint, plainBytes: count });

export const recipientSchema = z.object({
  role: z.enum(["vault", "break-glass"]),
  keyId,
  algorithm: z.literal("RSA-OAEP-256"),
  wrappedKey: z.base64(),
  keyVaultKey: z.string().optional(),
});

export const encryptionSchema = z.object({
  cipher: z.literal("AES-256-GCM"),
  kdf: z.literal("HKDF-SHA256"),
  compression: z.literal("zstd"),
  recipients: z.array(recipientSchema).min(1),
});

export const toolSchema = z.object({ name: z.string(), version: z.string(), commit: z.string().nullable() });

/** What a run record says of a vault, besides what came before it by name. */
export const joinSchema = z.object({
  /** Hashes of the records that stood there and that no record may have named before: all heads of the chain, at least. */
  also: z.array(sha256).optional(),
  /** Whatever had appeared there before this instant, by the storage's clock, is named by this record or by one before it. */
  seenUntil: instant.optional(),
});

/** The vaults that a record was written for, each with the hash of the record before it there. */
export const linksSchema = z.array(joinSchema.extend({ name: z.string(), previous: sha256.nullable() }));

/** What an engine found and wrote; the part of a manifest that it is responsible for. */
const contentSchema = z.object({
  /** The source server's own time at the snapshot, to the microsecond where it has them. */
  consistentAt: instant,
  /** For MySQL: gtidSet, file, offset, serverUuid, gtidMode. */
  position: z.record(z.string(), z.unknown()),
  server: z.looseObject({ kind: z.literal("mysql"), version: z.string() }),
  blobs: z.array(blob),
  tables: z.array(table),
  /** What the policy selected, for a restore that has no policy; `databases` is null for all of them. */
  scope: z.object({ databases: z.array(z.string()).nullable(), excludeTables: z.array(z.string()) }).optional(),
});

const manifestSchema = contentSchema.extend({
  format: z.literal("resguardo-manifest"),
  version: z.literal(VERSION),
  kind: z.literal("full"),
  id: z.string(),
  source: z.object({ name: z.string(), kind: z.string() }),
  environment: z.string(),
  startedAt: instant,
  finishedAt: instant,
  tool: toolSchema,
  /** Commit or tag of the application that was backed up. */
  tag: z.string().optional(),
  policyHash: z.string(),
  encryption: encryptionSchema,
  totals: z.object({ rows: count, plainBytes: count, storedBytes: count }),
  vaults: linksSchema,
});

export type BlobRecord = z.output<typeof blob>;
export type EngineContent = z.output<typeof contentSchema>;
export type Manifest = z.output<typeof manifestSchema>;
export type VaultLink = z.output<typeof linksSchema>[number];

/** Manifests as signed records. `parse` throws MANIFEST_INVALID or MANIFEST_VERSION. */
export const manifestKind: RecordKind<Manifest> = {
  type: "resguardo-manifest",
  placeOf: fullPlace,
  parse: (payload, name) => parseVersioned(payload, manifestSchema, "resguardo-manifest", VERSION, name),
};

const versioned = z.object({ format: z.string(), version: z.int().positive() });

/** Checks format and version before the shape, so that a newer record is told from a wrong one. */
export function parseVersioned<Content>(
  payload: unknown,
  schema: z.ZodType<Content>,
  format: string,
  version: number,
  name: string,
): Content {
  const head = versioned.safeParse(payload).data;
  if (head?.format === format && head.version > version) {
    throw new AppError("MANIFEST_VERSION", `${name}: found version ${head.version}, expected at most ${version}`, {
      hint: "A newer version of this product wrote it; use that version to read it.",
    });
  }
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  const fields = result.error.issues.slice(0, 5).map((issue) => issue.path.map(String).join(".") || "the record");
  throw new AppError("MANIFEST_INVALID", `${name}: not a ${format} of version ${version}: wrong ${fields.join(", ")}`, {
    hint: "The record is foreign or was made by a defective version; docs/format.md describes its fields.",
  });
}
